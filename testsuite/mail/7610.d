From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbO-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=t; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=LA9zRsv91NGaNoDpy6X5/uQgg/3R7Q2x9ffEjPfw61
	b2bVWgvE+3EXiiuHvf4eQPRzaHOwQopjDPFtG1Dw3ZNt0nLRJaz0L5DQcA1xvDZxMLei7olmhBabi
	1/objU92V022euTT254Qxql+g9LW8VmW1TIAPiksBbORxXe26NrA=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbN-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbN-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbQ-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=gone; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=ZwpXcCoPvkvv34ejPdcxYYJkm/6b8v3zwM4tvWjoCU
	ArI9QP0jspN+J/y1HDpe+2csNEXIh9Id5gwcbYM6vlfc/X3N8R/l4o8y18zeTgHJ9L1IFqXcA9d4V
	nvmvBtnglPTzkV25l0dspYsGxz8pA//qF8DE9EiTjqVngIWm8Ctg=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbP-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbP-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbS-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=odd; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=enTNR00uP8OO8ZIfUCoMIr/R4Ot7UQE08vU/tpyGbj
	Y9zPZ32w4ZCQ5otEdHVT28PiQXlRAnXWESvaiuF0g+pD3Yx0oLiJCWr9MHlxLI4ymMM8XFNrPZeSw
	0ozS6AGj6BpjXhKVbyjX41f+HHwPiJKEhtCNv3T+b4aMdNZq1bpE=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbR-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbR-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbU-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=nothere; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=cI9TAVVyD8mliNLMbQ5hfpp7v48sV0E68gvlj3gT1B
	abjILYDOdWRF4EISX9E9J84y1hCJ/fAbejWD5LpT9rL4SCnhA2DL2t+pLLjpuhgOVKZwYL34XBB3j
	yF8Vtp6+dhalLm61rNNuBQy+rk5+PO/QZevfQHt9iDykqScnm/PI=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbT-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbT-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbW-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=s; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=d0arZDXCIkGbeR9Y898nHb2QBbyxATSYM2lvBHtCKA
	SHS0q9z4NM0Sd3toEWpmexqNrmDhswusBg9m0Q6Az4SRTKMv8otOs1xpTJCsUeV4bQGjr9rr1Sq39
	55ODpfPqI/zwT6doxaibVOuORZoGJ/tRjraqET/fpA53u0C31jk4=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbV-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@sub.dk.mailauth.ex
Message-Id: <E10HmbV-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbY-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=s; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=EaYsOBhxkiN+HnMtHxO6a4LnPj8UytN1bm1nNvd9K4
	OaUjJJRWjNc8rFXJwNcTxBGfCWotQRp/Nr8o9rNv2guxDFtxj0ohlBY3rTXUUknccMMawSoOe261b
	7Txryi/44AM8OFjYfvPamV+N8jXYlphlYZ79aTTH3h97Jsu4bVIU=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbX-000000005vi-0000
	for d@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@other.ex
Message-Id: <E10HmbX-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

