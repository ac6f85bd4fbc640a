; The zone of the tests of DMARC's policies (8700).
authpol.ex.  NS   exim.authpol.ex.
authpol.ex.  SOA  exim.authpol.ex. hostmaster.exim.authpol.ex 1430683638 1200 120 604800 3000
_dmarc           TXT "v=DMARC1; p=none; sp=quarantine; np=reject"
here             A   V4NET.0.0.2
mail             MX  5 here.authpol.ex.
_dmarc.pctr      TXT "v=DMARC1; p=reject; pct=0"
_dmarc.pctq      TXT "v=DMARC1; p=quarantine; pct=0"
_dmarc.pctn      TXT "v=DMARC1; p=none; pct=0"
_dmarc.all       TXT "v=DMARC1; p=reject; pct=100"
_dmarc.zero      TXT "v=DMARC1; p=none; ruf=mailto:userx@authpol.ex; fo=0"
_dmarc.one       TXT "v=DMARC1; p=none; ruf=mailto:userx@authpol.ex; fo=1"
_dmarc.dk        TXT "v=DMARC1; p=none; ruf=mailto:userx@authpol.ex; fo=d"
_dmarc.sp        TXT "v=DMARC1; p=none; ruf=mailto:userx@authpol.ex; fo=d:s"
_dmarc.away      TXT "v=DMARC1; p=none; ruf=mailto:userx@elsewhere.com; fo=1"
one              TXT "v=spf1 ip4:V4NET.0.0.1 -all"
sp               TXT "v=spf1 -all"
