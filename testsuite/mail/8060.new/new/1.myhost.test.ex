Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <s@test.ex>)
	id 10HmbD-000000005vi-0000
	for list@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Subject: directory
Message-Id: <E10HmbD-000000005vi-0000@myhost.test.ex>
From: CALLER_NAME <s@test.ex>
Sender: CALLER_NAME <CALLER@test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

Text.
