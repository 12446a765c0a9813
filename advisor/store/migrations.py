"""The tables of the user's SQLite file, as they came one after the other."""

from __future__ import annotations

from collections.abc import Sequence

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE snapshot (
        market TEXT NOT NULL,
        at INTEGER NOT NULL,
        whole INTEGER NOT NULL,
        offers INTEGER NOT NULL,
        PRIMARY KEY (market, at)
    ) WITHOUT ROWID;
    CREATE TABLE listing (
        id INTEGER PRIMARY KEY,
        market TEXT NOT NULL,
        machine_id INTEGER NOT NULL,
        num_gpus INTEGER NOT NULL,
        gpu_ids TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        open_since INTEGER,
        UNIQUE (market, machine_id, num_gpus, gpu_ids, gpu_name)
    );
    CREATE INDEX listing_gpu ON listing (gpu_name);
    CREATE INDEX listing_open ON listing (market) WHERE open_since IS NOT NULL;
    CREATE TABLE spell (
        listing INTEGER NOT NULL REFERENCES listing (id),
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        born INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0,
        dph_base REAL,
        storage_usd_per_gb_month REAL,
        min_bid REAL,
        PRIMARY KEY (listing, first_at)
    ) WITHOUT ROWID;
    CREATE TABLE host_rule (
        market TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('machine', 'host')),
        id INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (market, kind, id)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        workload TEXT NOT NULL,
        gpu TEXT NOT NULL,
        num_gpus INTEGER NOT NULL,
        samples_per_s REAL NOT NULL,
        cpu TEXT,
        threads REAL,
        cpu_ghz REAL,
        batch_size INTEGER NOT NULL,
        precision TEXT NOT NULL,
        source TEXT NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE INDEX run_workload ON run (workload);
    """,
    """
    CREATE TABLE rental (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        label TEXT NOT NULL UNIQUE,
        market TEXT NOT NULL,
        job TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN (
            'intended', 'unknown', 'held', 'handed', 'releasing', 'released', 'refused'
        )),
        offer_id INTEGER NOT NULL,
        machine_id INTEGER NOT NULL,
        gpu_ids TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        num_gpus INTEGER NOT NULL,
        usd_per_hour REAL NOT NULL,
        traffic_usd REAL NOT NULL,
        intended_at REAL NOT NULL,
        ends_at REAL NOT NULL,
        instance_id INTEGER,
        handed_at REAL,
        closed_at REAL,
        absent_at REAL,
        reason TEXT NOT NULL
    );
    CREATE INDEX rental_market ON rental (market);
    CREATE TABLE rental_event (
        label TEXT NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX rental_event_label ON rental_event (label);
    """,
    """
    CREATE TABLE misfit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        market TEXT NOT NULL,
        job TEXT NOT NULL,
        misfit TEXT NOT NULL,
        machine_id INTEGER NOT NULL,
        image TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        capability REAL,
        driver REAL,
        cpu_arch TEXT NOT NULL,
        ram_gb REAL,
        gpu_memory_gb REAL,
        at REAL NOT NULL
    );
    CREATE INDEX misfit_market ON misfit (market, at);
    """,
    """
    ALTER TABLE run ADD COLUMN evidence TEXT;
    """,
    # What a row may have is checked where it is written and read (advisor.store.entry):
    # with constraints here, one torn row would stop the migration of all.
    """
    CREATE TABLE rental_6 (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        label TEXT,
        market TEXT,
        job TEXT,
        state TEXT,
        offer_id INTEGER,
        machine_id INTEGER,
        gpu_ids TEXT,
        gpu_name TEXT,
        num_gpus INTEGER,
        usd_per_hour REAL,
        traffic_usd REAL,
        intended_at REAL,
        ends_at REAL,
        instance_id INTEGER,
        handed_at REAL,
        closed_at REAL,
        absent_at REAL,
        reason TEXT,
        place TEXT,
        holder TEXT,
        lease_until REAL
    );
    INSERT INTO rental_6 SELECT *, '', '', NULL FROM rental NOT INDEXED;
    UPDATE rental_6 SET state = 'working'
        WHERE state = 'handed' AND reason = 'it runs a job';
    DROP TABLE rental;
    ALTER TABLE rental_6 RENAME TO rental;
    UPDATE rental_event SET state = 'working'
        WHERE state = 'handed' AND reason = 'it runs a job';
    """,
    """
    CREATE TABLE bench (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        market TEXT,
        machine_id INTEGER,
        gpu TEXT,
        num_gpus INTEGER,
        cpu TEXT,
        cores REAL,
        figures TEXT,
        source TEXT,
        at INTEGER,
        document TEXT
    );
    ALTER TABLE run ADD COLUMN loader TEXT;
    ALTER TABLE run ADD COLUMN bench INTEGER;
    """,
    # As the ledger's: what a row may have is checked where it is written and read.
    """
    CREATE TABLE sweep (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT,
        market TEXT,
        place TEXT,
        begun_at REAL,
        ended_at REAL,
        planned_at REAL,
        spec TEXT,
        plan TEXT
    );
    CREATE TABLE sweep_job (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sweep TEXT,
        name TEXT,
        state TEXT,
        label TEXT,
        attempt INTEGER,
        attempts INTEGER,
        exit_code INTEGER,
        assigned_at REAL,
        ended_at REAL,
        done_at REAL,
        checkpoint_at REAL,
        reason TEXT
    );
    CREATE INDEX sweep_job_name ON sweep_job (sweep, name);
    CREATE TABLE sweep_event (
        sweep TEXT,
        job TEXT,
        at REAL,
        state TEXT,
        label TEXT,
        attempt INTEGER,
        reason TEXT
    );
    CREATE INDEX sweep_event_job ON sweep_event (sweep, job);
    """,
)
"""SQL that makes each version of the file from the one before it; a file says by SQLite's
``user_version`` how many it has had. What is here is never changed: files have it."""
