/*
 * hub/backup: a hub's state directory in one file (store/sqlite/backup), and back. Beside a running hub: making one disturbs it in
 * nothing; putting one back wants it to be ended. For the commands; the hub itself does not use it.
 */
#ifndef WARREN_HUB_BACKUP_BACKUP_H
#define WARREN_HUB_BACKUP_BACKUP_H

#include "store/sqlite/backup.h"

/*
 * The database as it is at one moment, and every small file beside it (keys, certificates); not what is made anew by itself: locks, the
 * checked-out policy. *ret says what is in it. Negative: at says why, and there is no file.
 */
MUST_USE int backup_make(const char *state_dir, const char *to, unix_ms now,
	struct store_backup_info *ret, struct err_at *at);
/*
 * Into a state directory of which no hub is running. One that has a hub already is refused (-EEXIST) unless replace: then what is there
 * is moved to a directory "replaced-TIME" in it, whose path is in *ret_moved ("": nothing was there). Can be done again if it was broken off.
 */
MUST_USE int backup_restore(const char *file, const char *state_dir, bool replace, unix_ms now,
	char ret_moved[static 4096], struct store_backup_info *ret, struct err_at *at);

#endif
