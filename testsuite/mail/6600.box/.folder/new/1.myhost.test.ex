Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@test.ex>)
	id 10HmbB-000000005vi-0000
	for folder@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Message-Id: <E10HmbB-000000005vi-0000@myhost.test.ex>
From: CALLER_NAME <CALLER@test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

Counted with the others.
