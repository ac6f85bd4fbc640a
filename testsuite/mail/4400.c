From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbC-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=mailauth.ex
	; s=test; h=From:From; bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; b=0Lf
	O0EqrW1i9wkcRXxFtvuduBiZMooxAB2XeVFzMU9+ZJ6BVjOvrWuAyyvgk7Wmf5BbxBOiqj17vHgS0
	ZE1hE1mk4pII6ORZf5s3oAkoRk0gSyz4XCUHqJ/DzzwQk5bYDTnhPEkGawl44mLligD2U3JwGy89X
	t7nRFV7vE7U6hU=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbB-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: nobody@mailauth.ex
Message-Id: <E10HmbB-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

