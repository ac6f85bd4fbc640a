From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbD-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbC-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Sender: jim@dk.mailauth.ex
Message-Id: <E10HmbC-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000


From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbF-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbE-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbE-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000


From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbH-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbG-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Subject: two
X-Extra: one
Message-Id: <E10HmbG-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbI-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmaX-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Subject: three
Message-Id: <E10HmaX-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

