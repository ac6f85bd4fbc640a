From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbE-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=mailauth.ex
	; s=revoked; h=From:From; bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; b=
	u6yr9rpf8/CYtpDHMLucwEq7iRYb0syVDZaGPuoQAuX13c8owMj9ydi1J3D1jJpJRpeiWC7GakLNx
	RWbyy7+o3pn1BSYUX1e+m+wW4mI0boUMVonpfEmVwguatUAerQNPZ2WawB9npVEvFHdaj6OBgSxHu
	x35MdcOPYMY7XvzDM=;
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=mailauth.ex
	; s=nothere; h=From:From; bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; b=
	U0WeJHbmBAKUKzlxZzTPJ0b9VW4xnWC0KVE+8uJoKtpDtc9ujEZVnxR4MVVCFPcXjAesAOf3iiyWR
	e+5qvXnSYWkOQd1ZNVgCsPPWmH1FsKlRZyKQr22J58LU9M2WRIgdNHQLTTDyG6sGE1+H8sfY+Fp6d
	Zx41H+0yakiZzILVE=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbD-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: nobody@mailauth.ex
Message-Id: <E10HmbD-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

