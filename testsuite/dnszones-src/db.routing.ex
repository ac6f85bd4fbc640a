; Domains of the tests of routers and the smtp transport, 8300-8449.

routing.ex.  NS ns.routing.ex.
ns       A 127.0.0.1
here     A 127.0.0.1
one      A 10.1.0.1
two      A 10.1.0.2
three    A 10.1.0.3

; this host is a secondary, and not
second   MX 10 one
second   MX 20 here
first    MX 10 here
first    MX 20 one
other    MX 10 one

; services
_smtp._tcp.srv      SRV 20 0 2526 two
_smtp._tcp.srv      SRV 10 0 2525 one
_smtp._tcp.none     SRV 0 0 0 .
none     A 10.1.0.9
_smtp._tcp.later.test.again.dns.routing.ex. CNAME x.test.again.dns.
onlymx   MX 5 three

; widening: `short` is found as short.routing.ex
short    A 10.1.0.4

; addresses of both families, a bad MX, none at all
both     A 10.1.0.5
both     AAAA 2001:db8::5
badmx    MX 10 nothere
mxonly   MX 10 one
