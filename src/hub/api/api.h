/*
 * hub/api: Tailscale's API v2, as far as it is built, so that its tools work with this hub unchanged: below /api/v2/tailnet/{-, the base
 * domain or the tailnet's ID}: GET, POST acl, POST acl/validate and acl/preview; GET, POST dns/nameservers, dns/preferences,
 * dns/searchpaths, dns/configuration, and GET, PUT, PATCH dns/split-dns. The webhook POST /api/v2/webhook/policy-git makes the hub look
 * into its Git repository. Every answer is JSON; every error an object with "message". Source: Tailscale's client library, its
 * gitops-pusher and its documents.
 */
#ifndef WARREN_HUB_API_API_H
#define WARREN_HUB_API_API_H

#include "http/router/router.h"

/* q->ctx is the hub. */
extern const struct router api_table;

#endif
