/* The calls of the Brightmail client library (BMI) that Oxim makes, as it assumes them to be.

   The vendor's own header is not to be had any more; names and types here are what Oxim was written and tested with. They are
   resolved by name when the library is loaded (src/sys/brightmail.rs); one that is missing is an error that names it. All
   handles are opaque. A BmiError that is not fatal is logged and otherwise ignored. Oxim frees nothing: it calls the library
   in a process that ends with the answer. */

#ifndef OXIM_BRIGHTMAIL_H
#define OXIM_BRIGHTMAIL_H

#define BMI_VERSION "6.0"

typedef int BmiError; /* 0: none */
typedef struct bmi_system BmiSystem;
typedef struct bmi_message BmiMessage;
typedef struct bmi_optin BmiOptin;
typedef struct bmi_verdict BmiVerdict;
typedef struct bmi_recipient BmiRecipient;

int bmiErrorIsFatal(BmiError);
int bmiErrorGetLocation(BmiError);
int bmiErrorGetType(BmiError);

/* A message, in this order. */
BmiError bmiInitSystem(const char *version, const char *config_file, BmiSystem **);
BmiError bmiInitMessage(BmiSystem *, BmiMessage **);
BmiError bmiProcessConnection(const char *ip_address, BmiMessage *);
BmiError bmiProcessFROM(const char *sender, BmiMessage *);
BmiError bmiOptinInit(BmiOptin **);
BmiError bmiOptinMset(BmiOptin *, const char *profiles, int separator);
BmiError bmiAccumulateTO(const char *recipient, BmiOptin *, BmiMessage *); /* the opt-in may be NULL */
BmiError bmiEndTO(BmiMessage *);
BmiError bmiAccumulateHeaders(const char *, int length, BmiMessage *);
BmiError bmiEndHeaders(BmiMessage *);
BmiError bmiAccumulateBody(const char *, int length, BmiMessage *);
BmiError bmiEndBody(BmiMessage *);
BmiError bmiEndMessage(BmiMessage *);

/* Its verdicts, and their text form (no colons or line ends in it). */
BmiVerdict *bmiAccessFirstVerdict(BmiMessage *); /* NULL: none */
BmiVerdict *bmiAccessNextVerdict(BmiMessage *, BmiVerdict *);
BmiError bmiCreateStrFromVerdict(BmiVerdict *, char **);
BmiError bmiCreateOldStrFromVerdict(BmiVerdict *, char **); /* the tracker */
BmiError bmiCreateVerdictFromStr(const char *, BmiVerdict **);

/* What a verdict says. */
BmiRecipient *bmiVerdictAccessFirstRecipient(BmiVerdict *); /* NULL: none */
BmiRecipient *bmiVerdictAccessNextRecipient(BmiVerdict *, BmiRecipient *);
const char *bmiRecipientAccessAddress(BmiRecipient *);
int bmiVerdictError(BmiVerdict *);                         /* 0: none */
int bmiVerdictDestinationIsDefault(BmiVerdict *);          /* 1: yes */
const char *bmiVerdictAccessDestination(BmiVerdict *);     /* NULL: do not deliver */
int bmiVerdictRuleFired(BmiVerdict *, int rule);           /* 1: yes */

#endif
