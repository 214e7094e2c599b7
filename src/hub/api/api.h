/*
 * hub/api: Tailscale's API v2, as far as its tools for policies need it, so that they work with
 *this hub unchanged: GET, POST /api/v2/tailnet/{-, the base domain or the tailnet's ID}/acl, POST .../acl/validate,
 *POST .../acl/preview and the webhook that makes the hub look into its Git repository: POST
 * /api/v2/webhook/policy-git. Every answer is JSON; every error an object with "message". Source:
 *Tailscale's client library and its gitops-pusher.
 */
#ifndef WARREN_HUB_API_API_H
#define WARREN_HUB_API_API_H

#include "http/router/router.h"

/* q->ctx is the hub. */
extern const struct router api_table;

#endif
