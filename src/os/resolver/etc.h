/*
 * os/resolver/etc: /etc/resolv.conf itself: our text in its place, and what was there put back exactly. The file of before is kept beside it
 * as the same file (a hard link: content, owner, mode, times, and what a symbolic link leads to), so that a rename undoes everything. Where no
 * rename is possible (a mount on the file, a read-only /etc with a file that can be written), contents are copied.
 *
 * Nothing is synchronised: after a loss of power the file is ours, empty, or the one of before, and each of them is put right at the next
 * start. Blocking, for as long as a few small files take. Everything is below a root ("": the machine's), for tests.
 */
#ifndef WARREN_OS_RESOLVER_ETC_H
#define WARREN_OS_RESOLVER_ETC_H

#include "base/buf/buf.h"
#include "base/err/err.h"

#define ETC_FILE "/etc/resolv.conf"
#define ETC_BACKUP "/etc/resolv.conf.before-warren"
/* Where etc_put_link writes. Beside the file: policies of SELinux let services read it there, and it is still there after a reboot. */
#define ETC_LINKED "/etc/resolv.conf.warren"
/* What NetworkManager would have written, whoever has /etc/resolv.conf. */
#define ETC_NETWORKMANAGER "/run/NetworkManager/resolv.conf"
/* Where /etc cannot be written. */
#define ETC_SPARE_DIR "/run/warren"
#define ETC_SPARE_BACKUP ETC_SPARE_DIR "/resolv.conf.before-warren"

enum { ETC_PATH_MAX = 512 };

struct etc {
	char file[ETC_PATH_MAX], fresh[ETC_PATH_MAX];
	char backup[2][ETC_PATH_MAX]; /* beside the file, spare */
	char spare_dir[ETC_PATH_MAX];
	char linked[ETC_PATH_MAX], networkmanager[ETC_PATH_MAX];
};

/* -ENAMETOOLONG. */
MUST_USE int etc_init(struct etc *e, const char *root);

enum etc_state {
	ETC_MISSING,
	ETC_EMPTY,
	ETC_OURS,  /* written by us, maybe changed since */
	ETC_OTHER, /* somebody else's */
};
/* The file as it is; content is appended. ETC_OTHER with nothing appended: it cannot be read. */
enum etc_state etc_look(const struct etc *e, struct buf *content);
/* The file of before, if there is a backup. -ENOENT. */
MUST_USE int etc_read_backup(const struct etc *e, struct buf *content);
/*
 * Our text into the file. What is there becomes the backup if it is not ours. -EROFS, -EACCES: the system does not let us; -errno. On error
 * the file is as it was.
 */
MUST_USE int etc_put(const struct etc *e, struct view text);
/* The same, but the file becomes a link to ours: NetworkManager leaves a link alone that leads elsewhere (NetworkManager.conf(5), rc-manager). */
MUST_USE int etc_put_link(const struct etc *e, struct view text);
/*
 * Puts back what was there before, if the file is ours; else what is there stays. Then there is no backup. Harmless without one.
 * A file of NetworkManager's that was replaced by a link says what NetworkManager says now.
 */
MUST_USE int etc_undo(const struct etc *e);

#endif
