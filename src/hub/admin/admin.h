/* hub/admin: the administration over a unix socket, for root and the user of the hub. Its documents are admin_json.h. */
#ifndef WARREN_HUB_ADMIN_ADMIN_H
#define WARREN_HUB_ADMIN_ADMIN_H

#include "http/router/router.h"

/* q->ctx is the hub. */
extern const struct router admin_table;

#endif
