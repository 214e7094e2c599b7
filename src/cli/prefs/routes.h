/* cli/prefs/routes: lists of routes and tags as people write them, checked as the daemon and the hub want them. */
#ifndef WARREN_CLI_PREFS_ROUTES_H
#define WARREN_CLI_PREFS_ROUTES_H

#include "cli/common/common.h"

/* "10.0.0.0/8,192.168.1.7": sorted by length and address, no doubles. False after an error was printed. */
bool routes_parse(struct cli *c, const char *text, bool exit_node, struct json_list *ret);
const char *routes_format(
	struct cli *c, const struct json_list *routes); /* without the exit node's */
/* "true" and the like: an empty list; "10.0.0.0/8,nas:*,office:192.168.1.0/24". */
bool routes_parse_accepted(struct cli *c, const char *text, struct json_list *ret);
bool routes_parse_tags(struct cli *c, const char *text, struct json_list *ret);
/* "ip:port,ip:port" */
bool routes_parse_endpoints(struct cli *c, const char *text, struct json_list *ret);
bool routes_is_exit(struct ipprefix r); /* 0.0.0.0/0 or ::/0 */
bool routes_offer_exit(const struct ipn_prefs *p);

#endif
