From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbK-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=joe; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=txlDsjUWRwEzzuutkAGHsbeu1rhuOw8g2bLVxIbyE4
	R6OZ/qQNSsxhLgUz1MakW+ChaearHZ8ZrNpyxdATXfj3U6pTn4HbvqaO8dhRgllh7omvlFQx6t4+V
	KftbecDY4PbCM4D/Ck7hiQeSdPACiV46o9KWuqmfO/fykdcSMScY=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbJ-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbJ-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbM-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=joe; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=QoWhPmriDA/pvvVAzxoVHXezIri69cBtAc80blP+pH
	kv45rzQ8sa8fCA+0oIh+osNoM3O8dHQ7Wh40X/DskM0+L14ffJJSfhw+h+bpxlpSOocS9nr9G9aYG
	/k2jehwLxpBcaiunJlgsYjvtBatKaCHcZMfxPJcTxQdFvjzoAafg=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbL-000000005vi-0000
	for c@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: jim@dk.mailauth.ex
Message-Id: <E10HmbL-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

