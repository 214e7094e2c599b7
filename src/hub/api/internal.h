/* hub/api: what the files of the API share. */
#ifndef WARREN_HUB_API_INTERNAL_H
#define WARREN_HUB_API_INTERNAL_H

#include "http/router/router.h"
#include "hub/policy_source/policy.h"

#define API_JSON "application/json"
#define API_HEADERS "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"

enum { API_ANSWER_MAX = 2 * COORD_POLICY_TEXT_MAX };

/* reply.c. extra: header lines, each with CRLF. */
MUST_USE int api_reply(struct http_request *q, int status, const struct json_type *t,
	const void *doc, const char *extra);
MUST_USE int api_refuse(struct http_request *q, int status, const char *text);
MUST_USE int api_refuse_with(
	struct http_request *q, int status, const char *text, const char *extra);
/* rc: what became of a policy that is not taken. */
MUST_USE int api_reply_fault(
	struct http_request *q, int status, int rc, const struct policy_fault *f);

/* policy.c */
MUST_USE int api_policy_get(struct http_request *q);
MUST_USE int api_policy_set(struct http_request *q);
MUST_USE int api_policy_validate(struct http_request *q);

/* dns.c */
MUST_USE int api_dns_nameservers(struct http_request *q);
MUST_USE int api_dns_nameservers_set(struct http_request *q);
MUST_USE int api_dns_preferences(struct http_request *q);
MUST_USE int api_dns_preferences_set(struct http_request *q);
MUST_USE int api_dns_search(struct http_request *q);
MUST_USE int api_dns_search_set(struct http_request *q);
MUST_USE int api_dns_split(struct http_request *q);
MUST_USE int api_dns_split_set(struct http_request *q);
MUST_USE int api_dns_configuration(struct http_request *q);
MUST_USE int api_dns_configuration_set(struct http_request *q);

/* preview.c */
MUST_USE int api_preview(struct http_request *q);

#endif
