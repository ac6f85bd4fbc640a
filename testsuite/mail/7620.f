From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbI-000000005vi-0000
	for f@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbH-000000005vi-0000
	for f@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: nobody@mailauth.ex
Subject: rsa before ed25519
Message-Id: <E10HmbH-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

