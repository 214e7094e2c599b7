/* hub/backup/place: a state directory in which no hub is running, for commands that put a hub into it. */
#ifndef WARREN_HUB_BACKUP_PLACE_H
#define WARREN_HUB_BACKUP_PLACE_H

#include "base/err/err.h"

#include <stdbool.h>

/* Makes the directory if need be. *ret: a descriptor; no hub starts here until it is closed. -EWOULDBLOCK: one is running. */
MUST_USE int place_lock(const char *dir, int *ret, struct err_at *at);
bool place_has_hub(const char *dir);
/* A file or directory that was made by root is the directory's owner's: the hub may run as another user. -errno. */
MUST_USE int place_give(const char *dir, const char *path);

#endif
