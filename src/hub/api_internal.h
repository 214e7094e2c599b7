/* hub/api: what the files of the API share. */
#ifndef WARREN_HUB_API_INTERNAL_H
#define WARREN_HUB_API_INTERNAL_H

#include "hub/policy.h"
#include "http/router/router.h"

/* api.c. extra: header lines, each with CRLF. */
MUST_USE int api_reply(struct http_request *q, int status, const struct json_type *t,
	const void *doc, const char *extra);
MUST_USE int api_refuse(struct http_request *q, int status, const char *text);
/* rc: what became of a policy that is not taken. */
MUST_USE int api_reply_fault(
	struct http_request *q, int status, int rc, const struct policy_fault *f);

/* api_preview.c */
MUST_USE int api_preview(struct http_request *q);

#endif
