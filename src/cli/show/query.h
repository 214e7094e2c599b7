/* cli/show/query: "dns query". */
#ifndef WARREN_CLI_SHOW_QUERY_H
#define WARREN_CLI_SHOW_QUERY_H

#include "cli/cli.h"

struct cli;
struct flag;

int cli_dns_query(struct cli *c, struct flag *flags, int argc, char **argv);

#endif
