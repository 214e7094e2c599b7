/* hub/api: what the files of the API share. */
#ifndef WARREN_HUB_API_INTERNAL_H
#define WARREN_HUB_API_INTERNAL_H

#include "hub/policy.h"
#include "http/server/server.h"

struct token;

struct api_call {
	struct hub *hub;
	struct httpd_conn *conn;
	const struct httpd_request *r;
	struct token *token;
	struct arena mem;
	bool post;
};

/* api.c. extra: header lines, each with CRLF. */
MUST_USE int api_reply(struct api_call *c, int status, const struct json_type *t, const void *doc,
	const char *extra);
MUST_USE int api_refuse(struct api_call *c, int status, const char *text);
/* rc: what became of a policy that is not taken. */
MUST_USE int api_reply_fault(struct api_call *c, int status, int rc, const struct policy_fault *f);

/* api_preview.c */
MUST_USE int api_preview(struct api_call *c);

#endif
