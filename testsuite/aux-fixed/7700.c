/* A client library with the calls of src/brightmail.h. What it finds depends on the subject; what it was told goes into the
file that its configuration names. A verdict's text is the base64 of "recipients,|destination|rules,|tracker|error" - in
hexadecimal here, which is base64 too. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "brightmail.h"

struct bmi_recipient { char address[200]; };
struct bmi_verdict {
  struct bmi_recipient recipients[10];
  int count, rules[10], rule_count, error;
  char destination[200], tracker[100];
};
struct bmi_optin { char profiles[200]; };
struct bmi_system { char file[300]; };
struct bmi_message { char subject[100]; char to[10][200]; int count, given; struct bmi_verdict verdicts[2]; };
static char trace_name[300];

static void trace(const char *format, ...) {
  FILE *f = fopen(trace_name, "a");
  va_list ap;
  if (!f) return;
  va_start(ap, format);
  vfprintf(f, format, ap);
  va_end(ap);
  fputc('\n', f);
  fclose(f);
}

/* Errors: 0 none; tens are the location, ones the type, over 100 fatal. */
int bmiErrorIsFatal(BmiError e) { return e > 100; }
int bmiErrorGetLocation(BmiError e) { return e % 100 / 10; }
int bmiErrorGetType(BmiError e) { return e % 10; }

BmiError bmiInitSystem(const char *version, const char *file, BmiSystem **s) {
  FILE *f = fopen(file, "r");
  if (!f || !fgets(trace_name, sizeof(trace_name), f)) return 123;
  fclose(f);
  trace_name[strcspn(trace_name, "\n")] = 0;
  *s = calloc(1, sizeof(**s));
  trace("system %s", version);
  return 0;
}
BmiError bmiInitMessage(BmiSystem *s, BmiMessage **m) { *m = calloc(1, sizeof(**m)); return 0; }
BmiError bmiProcessConnection(const char *ip, BmiMessage *m) { trace("connection %s", ip); return 0; }
BmiError bmiProcessFROM(const char *sender, BmiMessage *m) { trace("from <%s>", sender); return 0; }
BmiError bmiOptinInit(BmiOptin **o) { *o = calloc(1, sizeof(**o)); return 0; }
BmiError bmiOptinMset(BmiOptin *o, const char *profiles, int separator) {
  if (strstr(profiles, "bad")) return 45;
  snprintf(o->profiles, sizeof(o->profiles), "%s by %c", profiles, separator);
  return 0;
}
BmiError bmiAccumulateTO(const char *to, BmiOptin *o, BmiMessage *m) {
  trace("to <%s> %s", to, o ? o->profiles : "-");
  if (m->count < 10) snprintf(m->to[m->count++], 200, "%s", to);
  return 0;
}
BmiError bmiEndTO(BmiMessage *m) { trace("end of recipients"); return 12; }
BmiError bmiAccumulateHeaders(const char *text, int size, BmiMessage *m) {
  if (strncmp(text, "Subject: ", 9) == 0) {
    sscanf(text, "Subject: %99[^\n]", m->subject);
    trace("%.*s", size - 1, text);
  }
  return 0;
}
BmiError bmiEndHeaders(BmiMessage *m) { return 0; }
BmiError bmiAccumulateBody(const char *text, int size, BmiMessage *m) {
  trace("body %d: %.*s", size, size > 20 ? 20 : size - 1, text);
  return 0;
}
BmiError bmiEndBody(BmiMessage *m) { return 0; }
BmiError bmiEndMessage(BmiMessage *m) {
  const char *subject = m->subject;
  struct bmi_verdict *v = m->verdicts;
  if (strcmp(subject, "fatal") == 0) return 178;
  if (strcmp(subject, "crash") == 0) abort();
  if (strcmp(subject, "exit") == 0) _exit(0);
  if (strcmp(subject, "none") == 0) return 0;
  /* The first recipient's verdict is as the subject says; all others have one by which mail is delivered as usual. */
  for (int i = 0; i < m->count; i++) {
    int n = i > 0;
    strcpy(v[n].recipients[v[n].count++].address, m->to[i]);
    strcpy(v[n].destination, "default");
    strcpy(v[n].tracker, "none");
    m->given = n + 1;
  }
  if (strcmp(subject, "spam") == 0) v->destination[0] = 0;
  if (strcmp(subject, "elsewhere") == 0) strcpy(v->destination, "X-Folder: spam");
  if (strcmp(subject, "rules") == 0) { v->rules[v->rule_count++] = 7; v->rules[v->rule_count++] = 12; strcpy(v->tracker, "AAAAAQ"); }
  if (strcmp(subject, "error") == 0) { v->error = 1; v->destination[0] = 0; v->rules[v->rule_count++] = 7; }
  return 0;
}
BmiVerdict *bmiAccessFirstVerdict(BmiMessage *m) { return m->given > 0 ? m->verdicts : NULL; }
BmiVerdict *bmiAccessNextVerdict(BmiMessage *m, BmiVerdict *v) { return v - m->verdicts + 1 < m->given ? v + 1 : NULL; }
BmiError bmiCreateStrFromVerdict(BmiVerdict *v, char **out) {
  char plain[4000] = "", *p = plain, *hex = calloc(1, 8001);
  for (int i = 0; i < v->count; i++) p += sprintf(p, "%s,", v->recipients[i].address);
  p += sprintf(p, "|%s|", v->destination);
  for (int i = 0; i < v->rule_count; i++) p += sprintf(p, "%d,", v->rules[i]);
  sprintf(p, "|%s|%d", v->tracker, v->error);
  for (int i = 0; plain[i]; i++) sprintf(hex + 2 * i, "%02X", plain[i]);
  *out = hex;
  return 0;
}
BmiError bmiCreateOldStrFromVerdict(BmiVerdict *v, char **out) { *out = v->tracker; return 0; }
BmiError bmiCreateVerdictFromStr(const char *hex, BmiVerdict **out) {
  char plain[4000] = "", *part[5], *p = plain;
  BmiVerdict *v = calloc(1, sizeof(*v));
  if (strcmp(hex, "AA") == 0) return 199;
  for (int i = 0; i < 3999 && hex[2 * i] && hex[2 * i + 1]; i++) {
    unsigned c;
    sscanf(hex + 2 * i, "%2X", &c);
    plain[i] = c;
  }
  for (int i = 0; i < 5; i++) part[i] = p ? strsep(&p, "|") : "";
  while (part[0] && *part[0]) strcpy(v->recipients[v->count++].address, strsep(part, ","));
  strcpy(v->destination, part[1]);
  while (part[2] && *part[2]) v->rules[v->rule_count++] = atoi(strsep(part + 2, ","));
  strcpy(v->tracker, part[3]);
  v->error = atoi(part[4]);
  *out = v;
  return 0;
}
BmiRecipient *bmiVerdictAccessFirstRecipient(BmiVerdict *v) { return v->count > 0 ? v->recipients : NULL; }
BmiRecipient *bmiVerdictAccessNextRecipient(BmiVerdict *v, BmiRecipient *r) {
  return r - v->recipients + 1 < v->count ? r + 1 : NULL;
}
const char *bmiRecipientAccessAddress(BmiRecipient *r) { return r->address; }
int bmiVerdictError(BmiVerdict *v) { return v->error; }
int bmiVerdictDestinationIsDefault(BmiVerdict *v) { return strcmp(v->destination, "default") == 0; }
const char *bmiVerdictAccessDestination(BmiVerdict *v) { return *v->destination ? v->destination : NULL; }
#ifndef WITHOUT_RULES
int bmiVerdictRuleFired(BmiVerdict *v, int rule) {
  for (int i = 0; i < v->rule_count; i++) if (v->rules[i] == rule) return 1;
  return 0;
}
#endif
