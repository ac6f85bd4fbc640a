From x@mailauth.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=x)
	by myhost.test.ex with smtp (Exim x.yz)
	(envelope-from <x@mailauth.ex>)
	id 10HmbB-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DKIM-Signature: v=1; a=rsa-sha256; d=mailauth.ex; d=other.ex; s=rsa; h=From; bh=AAAA; b=AAAA
DKIM-Signature: v=2; a=rsa-sha256; d=mailauth.ex; s=rsa; h=From; bh=AAAA; b=AAAA
DKIM-Signature: v=1; a=rsa-md5; d=mailauth.ex; s=rsa; h=From; bh=AAAA; b=AAAA
DKIM-Signature: v=1; a=rsa-sha256; d=mailauth.ex; s=rsa; h=From; bh=AAAA; b=AAAA
DKIM-Signature: ;;;;
DKIM-Signature:
From: x@mailauth.ex

body

