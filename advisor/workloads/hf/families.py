from advisor.workloads.hf.decoders import DECODERS
from advisor.workloads.hf.encoders import ENCODERS
from advisor.workloads.hf.mixtures import MIXTURES
from advisor.workloads.hf.seq2seq import SEQ2SEQ
from advisor.workloads.hf.vision import TOWERS, DUALS
from advisor.workloads.hf.multimodal import SEEING
from advisor.workloads.hf.settings import Settings
def net_of(c,name):
    s=Settings(c,name)
    f=(DECODERS|MIXTURES|SEQ2SEQ|DUALS|SEEING).get(s.kind)
    if f: return f.net(s)
    f=ENCODERS.get(s.kind)
    if f: return f.net(s, masked=any("MaskedLM" in x for x in c.get("architectures",())))
    f=TOWERS.get(s.kind)
    if f: return f.net(s, classes=1000 if c.get("id2label") else 0)
