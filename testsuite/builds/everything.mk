# All parts that a build may have: OXIM_LOCAL_MAKEFILE=testsuite/builds/everything.mk cargo build
EXPERIMENTAL_BRIGHTMAIL=yes
AUTH_CYRUS_SASL=yes
AUTH_HEIMDAL_GSSAPI=yes
AUTH_OAUTH=yes
LOOKUP_MYSQL=yes
LOOKUP_PGSQL=yes
LOOKUP_LDAP=yes
