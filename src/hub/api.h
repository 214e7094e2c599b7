/*
 * hub/api: Tailscale's API v2, as far as its tools for policies need it, so that they work with
 *this hub unchanged: GET, POST /api/v2/tailnet/{-, the base domain or the tailnet's ID}/acl, POST .../acl/validate,
 *POST .../acl/preview and the webhook that makes the hub look into its Git repository: POST
 * /api/v2/webhook/policy-git. Every answer is JSON; every error an object with "message". Source:
 *Tailscale's client library and its gitops-pusher.
 */
#ifndef WARREN_HUB_API_H
#define WARREN_HUB_API_H

#include "hub/internal.h"

bool api_wants(const struct http1_head *head);
MUST_USE int api_on_request(struct hub *h, struct httpd_conn *c, const struct httpd_request *r);
/* For httpd_cfg: large bodies for those who show a valid token. */
bool api_raise(
	void *ctx, struct httpd_conn *c, const struct http1_head *head, struct httpd_limits *l);

#endif
