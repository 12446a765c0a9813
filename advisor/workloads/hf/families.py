from advisor.workloads.hf.decoders import DECODERS
from advisor.workloads.hf.encoders import ENCODERS
from advisor.workloads.hf.mixtures import MIXTURES
from advisor.workloads.hf.settings import Settings
def net_of(c,name):
    s=Settings(c,name)
    f=(DECODERS|MIXTURES).get(s.kind)
    if f: return f.net(s)
    f=ENCODERS.get(s.kind)
    if f: return f.net(s, masked=any("MaskedLM" in x for x in c.get("architectures",())))
