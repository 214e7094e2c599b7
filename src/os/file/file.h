/* os/file: small files, read whole within a bound and replaced atomically: after a crash it is the old or the new one. */
#ifndef WARREN_OS_FILE_FILE_H
#define WARREN_OS_FILE_FILE_H

#include "base/buf/buf.h"
#include "base/err/err.h"

#include <sys/types.h>

/* Appends the content. -errno, -ERR_TOO_BIG (the buffer's maximum). */
MUST_USE int file_read(const char *path, struct buf *out);
/*
 * Why a file could not be opened, for the person who named it: missing, or for whom it and which directory on the way is closed. For
 * the start of a program and rare events: asks the system's user database. Returns rc.
 */
int file_explain(const char *path, int rc, struct err_at *at);
/* Durable when it returns 0: written beside, synchronised, renamed over, directory synchronised. */
MUST_USE int file_write(const char *path, struct view content, mode_t mode);
/* What another library wrote to tmp becomes path, and is durable when it returns 0. */
MUST_USE int file_put(const char *tmp, const char *path);
/* A directory with this mode, parents made as needed (0755). */
MUST_USE int file_make_dir(const char *path, mode_t mode);
/*
 * One process at a time: *ret is a descriptor that holds the lock until it is closed or the process ends. The file stays, with
 * the number of the process in it. -EWOULDBLOCK: another one has it, and *ret_owner is its number, 0 if that is not known.
 */
MUST_USE int file_lock(const char *path, int *ret, long *ret_owner);
/*
 * A 32-byte private key in its text form ("privkey:..."), made with the kernel's randomness on first use (0600).
 * -ERR_BAD_FORMAT if the file holds something else.
 */
MUST_USE int file_private_key(const char *path, uint8_t ret[static 32]);

#endif
