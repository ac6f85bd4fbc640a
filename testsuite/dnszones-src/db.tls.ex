; Hosts of the tests 5900-5999. Certificates are made when a test runs (aux-fixed/tls-ca), and so are the TLSA records,
; which the tests write to the end of the copy of this file.

tls.ex.  NS ns.tls.ex.
ns       A 127.0.0.1

; DNSSEC-secured hosts
DNSSEC mx       A 127.0.0.1
DNSSEC ec       A 127.0.0.1
DNSSEC many     A 127.0.0.1
DNSSEC alias    CNAME mx
; not secured
plain           A 127.0.0.1

; domains
DNSSEC good     MX 1 mx
DNSSEC ecmail   MX 1 ec
insecure        MX 1 mx
DNSSEC chain    MX 1 alias
