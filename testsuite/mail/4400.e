From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbG-000000005vi-0000
	for e@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=mailauth.ex
	; s=rsa; h=From:From; bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; b=j1wZ
	YSr+ZBYngpqreLn2h2Ji9iz4pX+XKdfETdJAbbGaSVDhGLVuYb/DnYSL72Lu3uBVZt49nd6XGDPZo
	uMcroUlt4rmcE6+iG2bTYkKRk25FknIple/mRzNLEF/JhvvC2e4zB+vgZqITi4krII+CY7e5yB5fS
	CBHXCpqw4JTVw=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbF-000000005vi-0000
	for e@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: nobody@mailauth.ex
Message-Id: <E10HmbF-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

