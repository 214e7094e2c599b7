/*
 * os/filewatch: a few files that others replace, certificates for example. Tells when they may hold something new and have been
 * quiet for FILEWATCH_QUIET, so that files that belong together are both there. Seen by inotify in the directories on the way,
 * links followed (a swapped link is a change, of a directory too), and by looking every FILEWATCH_INTERVAL, for file systems and
 * rights that inotify cannot see through.
 */
#ifndef WARREN_OS_FILEWATCH_FILEWATCH_H
#define WARREN_OS_FILEWATCH_FILEWATCH_H

#include "os/loop/loop.h"

enum { FILEWATCH_FILES_MAX = 4 };
#define FILEWATCH_QUIET MSEC(500)
#define FILEWATCH_INTERVAL SEC(30)

struct filewatch;

/* The paths are the owner's, for as long as it watches. What does not exist yet is watched for. changed is called from the loop. */
MUST_USE int filewatch_new(struct filewatch **ret, struct loop *l, const char *const *path,
	size_t n, void (*changed)(void *ctx), void *ctx);
/* The owner has written them himself: what is there now is not told, and what comes after it is, even if it is what was there before. */
void filewatch_seen(struct filewatch *w);
struct filewatch *filewatch_free(struct filewatch *w);

#endif
