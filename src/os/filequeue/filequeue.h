/*
 * os/filequeue: small files, written and removed by a thread beside the loop, in the order in which that was asked. Of two writes
 * of one file that both still wait, only the later one happens.
 */
#ifndef WARREN_OS_FILEQUEUE_FILEQUEUE_H
#define WARREN_OS_FILEQUEUE_FILEQUEUE_H

#include "base/buf/buf.h"
#include "os/loop/loop.h"

#include <sys/types.h>

struct filequeue;

/* What became of a write, on the loop: rc as of file_write. */
typedef void (*filequeue_fn)(void *ctx, const char *path, int rc);

/* The thread begins with the first job, with the rights that the process has then. */
MUST_USE int filequeue_new(
	struct filequeue **ret, struct loop *l, filequeue_fn on_written, void *ctx);
/*
 * Durable when on_written says so. Takes the content, which is empty then, and wipes it if it is secret. Makes the directory of
 * the file (0700) if it is missing. -ENOMEM.
 */
MUST_USE int filequeue_write(
	struct filequeue *q, const char *path, struct buf *content, mode_t mode);
/* The file, and its directory if that is empty then. What cannot be removed stays. -ENOMEM. */
MUST_USE int filequeue_remove(struct filequeue *q, const char *path);
/* Does a write of this file wait, or happen right now? */
bool filequeue_has(const struct filequeue *q, const char *path);
/* Waits until all is done: for the end of a program. Before the loop is freed. */
struct filequeue *filequeue_free(struct filequeue *q);

#endif
