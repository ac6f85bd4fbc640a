From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbA-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DKIM-Signature: v=1; a=ed25519-sha256; q=dns/txt; c=simple/simple;
	d=mailauth.ex; s=ed; h=From:From;
	bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=uS6Ky3Goi5LmmjwjJ7ftVuHXBe
	aaiejuB8hZkArQJy8d0wFrnc1AAxZtx18cp6YSqiGXKQdfo7NEOnAuSrWjDg==;
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=simple/simple; d=mailauth.ex;
	s=rsa; h=From:From; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=v7cz9k
	EeS35Pg8geWm6zqVgt3iGpFnG+bfHpR+heFENhv7yzLH7lUwu7H8+B+pclqYNZsKwzKqIWD016p9v
	o5Lh6ifiMRDPPWvHfp555G4BNR/9YfRKbM50MzCz83+vTIXmY0C8CCNH0xGhJXnPqzHlmbzvc88JE
	3jICyKm8eWk=;
DKIM-Signature: v=1; a=ed25519-sha256; q=dns/txt; c=simple/simple;
	d=sub.mailauth.ex; s=ed; h=From:From;
	bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AqjjDj6fozBOvINmNN5N2mxkB1
	XnHfuWsn4oqFDYhAcv0vcY+R6wEbi5mDrbCXGGYiO+hddvslsgyTAaFgWtAg==;
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=simple/simple;
	d=sub.mailauth.ex; s=rsa; h=From:From;
	bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=s4n+v3XCeb6QtnH8Xd0zX0TdpF
	0isMgeppHjMkiefP+8FOBAIMLYNYPwqgKjJ565VQeX2brb9HMoF/o5m2SczUx4sU3ZN3KT5jbN4yF
	kA0R1orc0UcGafu1aS+4wH+ibzF4ROmuKLOeJK5nb67l6ZYeLFta1tFbqqDZkeHs+lh4=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmaZ-000000005vi-0000
	for b@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: nobody@mailauth.ex
Message-Id: <E10HmaZ-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000


