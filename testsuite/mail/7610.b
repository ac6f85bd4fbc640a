From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbD-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws; s=s; d=dk.mailauth.ex;
	h=Received:From:Sender:Message-Id:Date; b=j8ioe2xYnvpMxiKR0TlWZLJY05JlTGMn8Rn
	z9z2s+IdvxddW4rM1FdpoClEIGsXV0z/EJ7C0QsPJ4gcxT+V8L86+SxVoFlQlhu+CIf1azfH9rFfR
	Zcs/mM5w+6Bfsth/B+rztqbej0KSkRPGVsFSYklexK1JFDoj7bcqAmJqKbo=;
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
DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws; s=s; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=AB49p8LQuSgQJNvsjxlU82g/N42+AltEY6BcI4IOAG
	6HbLcFFgEwj7BaKsjvilqEZLyHxvx9nEDaQ66l2phcofxa3/vi8P6T51GrEg2JcBNKKxS0r4lbSKI
	uRRqYGGvrSE65eM/izJv5PYzfpCVclmM7FspTz7GJSVrfUkSdjdI=;
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
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=s; d=dk.mailauth.ex;
	h=From:Subject; b=b+fuUCO5T9tf8orKqaR+Fu/+VWkeJF1weAD3+WOtK/gOk+GV+vHDE8c8R8p
	OQ+NmTE7uMXF7jpyCU/Aq760vpY66kyTCjCe0eu5YF0G8GDb7+nfKKZrHu0UX4qbwKinEhKaeO0NN
	PhjD7nxCl1cSwDd9ByjdT87jd+0aU7wbhK4=;
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

