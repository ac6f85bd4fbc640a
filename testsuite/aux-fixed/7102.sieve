# Sieve filter
if header [] "y" { keep; } else { redirect text:
a@b.ex
.
; }
