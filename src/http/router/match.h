/* http/router/match: does a path fit a pattern? The language is router.h's. */
#ifndef WARREN_HTTP_ROUTER_MATCH_H
#define WARREN_HTTP_ROUTER_MATCH_H

#include "http/router/router.h"

/* Up to HTTP_PARAMS_MAX values of its named segments. slash: one slash behind the path does not matter. */
bool match_path(const char *pattern, struct view path, bool slash,
	struct http_param param[static HTTP_PARAMS_MAX], size_t *ret_n);
/* Of {name:int}: the number, or -1. */
int64_t match_int(struct view segment);

#endif
