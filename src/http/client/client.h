/*
 * http/client: one POST to somebody else's HTTP server and its short answer. Names are looked up by the system's resolver in a thread of
 * its own; over https the certificate is checked for the name. No redirects, no second try.
 */
#ifndef WARREN_HTTP_CLIENT_CLIENT_H
#define WARREN_HTTP_CLIENT_CLIENT_H

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/time/time.h"
#include "proto/names/url.h"

struct loop;
struct tls_ctx;
struct httpask;

enum {
	HTTPASK_PATH_MAX = 1024,
	HTTPASK_BODY_MAX = 4096, /* of either side */
};

struct httpask_url {
	struct url at;
	char path[HTTPASK_PATH_MAX]; /* with the query, "/" at least */
};
/* "http://HOST[:PORT][/PATH]" or https. -ERR_BAD_VALUE. */
MUST_USE int httpask_url_parse(const char *text, struct httpask_url *ret);

struct httpask_cfg {
	struct loop *loop;
	const struct httpask_url *url; /* kept by the owner, as is tls */
	struct tls_ctx *tls;           /* for https: whom it trusts */
	mono_ns timeout;               /* for all of it */
};
/* rc 0: status and body are the answer's. Else it failed. Called once, from the loop; the ask frees itself afterwards. */
typedef void (*httpask_fn)(void *ctx, int rc, int status, struct view body);

/* body: JSON, copied. -ENOMEM, -ERR_TOO_BIG. */
MUST_USE int httpask_post(struct httpask **ret, const struct httpask_cfg *cfg, struct view body,
	httpask_fn fn, void *ctx);
/* Its function is not called any more. */
struct httpask *httpask_cancel(struct httpask *a);

#endif
