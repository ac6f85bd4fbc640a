From CALLER@myhost.test.ex Tue Mar 02 09:44:33 1999
Received: from [127.0.0.1] (helo=myhost.test.ex)
	by myhost.test.ex with esmtp (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmcA-000000005vi-0000
	for f@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
DomainKey-Signature: a=rsa-sha1; q=dns; c=simple; s=s; d=dk.mailauth.ex;
	h=Received:From:Message-Id:Date; b=F9xhCRcWbxP5e9AjdrwBo2wT9cFsqRC+mkkVPEXfA+
	jHBmabSZ2RQybAGI/vK1SGIJ4eapCPBrySden7Wz+tvmkyNZCdUt+tQMISTBk9CsfKnQ1Y40NO4fq
	RdVpAZ6rn68pvKUcAvMQo0sS3QxhGG+LB7rxQZrC/steUM4f620U=;
DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/relaxed; d=mailauth.ex
	; s=rsa; h=Date:Message-Id:From:Sender:Reply-To:Subject:To:Cc:MIME-Version:
	Content-Type:Content-Transfer-Encoding:Content-ID:Content-Description:
	Resent-Date:Resent-From:Resent-Sender:Resent-To:Resent-Cc:Resent-Message-ID:
	In-Reply-To:References:List-Id:List-Help:List-Unsubscribe:List-Subscribe:
	List-Post:List-Owner:List-Archive;
	bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; b=eIA3vdkJHimqU8iRa5KeUMymIc
	17CSrws8J3z3rpVVm6EJKJBuATf4/QrCZJLqPtg2ZIIaBZChshJHuMkqVxln51+AAdbEQ/GmSqZw+
	eAuUBI6TOA15BV14xtYKWLd9vXjGHKqNsFiXrHc85xPS/OLRXf4YwkodBu+OzJ9GTBLI=;
Received: from CALLER by myhost.test.ex with local (Exim x.yz)
	(envelope-from <CALLER@myhost.test.ex>)
	id 10HmbZ-000000005vi-0000
	for f@test.ex;
	Tue, 2 Mar 1999 09:44:33 +0000
From: joe@dk.mailauth.ex
Message-Id: <E10HmbZ-000000005vi-0000@myhost.test.ex>
Date: Tue, 2 Mar 1999 09:44:33 +0000

body

