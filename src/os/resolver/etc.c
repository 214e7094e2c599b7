#include "os/resolver/etc.h"
#include "os/file/file.h"
#include "proto/resolvconf/resolvconf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BESIDE, SPARE, N_BACKUPS };

static int path_of(char out[static ETC_PATH_MAX], const char *root, const char *path)
{
	return snprintf(out, ETC_PATH_MAX, "%s%s", root, path) < ETC_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int etc_init(struct etc *e, const char *root)
{
	int rc = path_of(e->file, root, ETC_FILE);

	if (rc == 0)
		rc = path_of(e->fresh, root, ETC_FILE ".warren-new");
	if (rc == 0)
		rc = path_of(e->backup[BESIDE], root, ETC_BACKUP);
	if (rc == 0)
		rc = path_of(e->backup[SPARE], root, ETC_SPARE_BACKUP);
	if (rc == 0)
		rc = path_of(e->spare_dir, root, ETC_SPARE_DIR);
	if (rc == 0)
		rc = path_of(e->linked, root, ETC_LINKED);
	return rc == 0 ? path_of(e->networkmanager, root, ETC_NETWORKMANAGER) : rc;
}

enum etc_state etc_look(const struct etc *e, struct buf *content)
{
	size_t before = buf_len(content);
	int rc = file_read(e->file, content);
	struct view text = view_of(buf_data(content) + before, buf_len(content) - before);

	if (rc < 0) {
		buf_truncate(content, before);
		return rc == -ENOENT ? ETC_MISSING : ETC_OTHER;
	}
	if (!text.len)
		return ETC_EMPTY;
	return resolvconf_owner(text) == RESOLVCONF_WARREN ? ETC_OURS : ETC_OTHER;
}

static enum etc_state state_of(const struct etc *e)
{
	enum etc_state s;
	struct buf b;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	s = etc_look(e, &b);
	buf_fini(&b);
	return s;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The target of our link, within its directory. */
static const char *linked_name(void)
{
	return strrchr(ETC_LINKED, '/') + 1;
}

/* Is the file a link to ours? */
static bool is_linked(const struct etc *e)
{
	char target[ETC_PATH_MAX];
	ssize_t n = readlink(e->file, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = 0;
	return strcmp(target, linked_name()) == 0;
}

/* NULL: there is none. */
static const char *backup_of(const struct etc *e)
{
	for (int i = 0; i < N_BACKUPS; i++)
		if (exists(e->backup[i]))
			return e->backup[i];
	return NULL;
}

int etc_read_backup(const struct etc *e, struct buf *content)
{
	const char *backup = backup_of(e);

	return backup ? file_read(backup, content) : -ENOENT;
}

static void forget(const struct etc *e)
{
	for (int i = 0; i < N_BACKUPS; i++)
		unlink(e->backup[i]);
}

/* ---- contents ---- */

static int write_at(int fd, struct view text)
{
	size_t done = 0;

	while (done < text.len) {
		ssize_t n = pwrite(fd, text.p + done, text.len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	/* Cut behind, not before: whoever reads meanwhile finds servers, and no empty file. */
	return ftruncate(fd, (off_t)text.len) == 0 ? 0 : -errno;
}

/* Into the file that is there, through a link if it is one. */
static int write_in_place(const char *path, struct view text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = write_at(fd, text);
	close(fd);
	return rc;
}

/* A new file with the mode and the owner of like, as far as we may; 0644 if that is missing. */
static int write_fresh(const char *path, const char *like, struct view text)
{
	struct stat st = { .st_mode = 0644 };
	bool known = stat(like, &st) == 0;
	int fd, rc;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = write_at(fd, text);
	if (rc == 0 && known && fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		rc = -errno;
	if (rc == 0 && fchmod(fd, st.st_mode & 0777) < 0)
		rc = -errno;
	close(fd);
	if (rc < 0)
		unlink(path);
	return rc;
}

/* A new text in the place of the file to, with the mode and the owner of what the system asks now. */
static int replace(const struct etc *e, const char *to, struct view text)
{
	int rc = write_fresh(e->fresh, e->file, text);

	if (rc == 0 && rename(e->fresh, to) < 0) {
		rc = -errno;
		unlink(e->fresh);
	}
	return rc;
}

static int put_by_rename(const struct etc *e, struct view text)
{
	return replace(e, e->file, text);
}

static int put_by_link(const struct etc *e, struct view text)
{
	int rc = replace(e, e->linked, text);

	if (rc < 0 || is_linked(e))
		return rc;
	unlink(e->fresh);
	if (symlink(linked_name(), e->fresh) == 0 && rename(e->fresh, e->file) == 0)
		return 0;
	rc = -errno;
	unlink(e->fresh);
	unlink(e->linked);
	return rc;
}

/* ---- the backup ---- */

/* A file system without hard links of symbolic links. */
static int same_link(const char *from, const char *to)
{
	char target[ETC_PATH_MAX];
	ssize_t n = readlink(from, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = 0;
	return symlink(target, to) == 0 ? 0 : -errno;
}

/* The file itself under another name, over a backup that there may be. */
static int back_up_by_link(const struct etc *e)
{
	int rc;

	unlink(e->fresh);
	if (linkat(AT_FDCWD, e->file, AT_FDCWD, e->fresh, 0) < 0 &&
		(rc = same_link(e->file, e->fresh)) < 0)
		return rc;
	rc = rename(e->fresh, e->backup[BESIDE]) == 0 ? 0 : -errno;
	unlink(e->fresh); /* still there if the backup is this very file already */
	return rc;
}

static int back_up_by_copy(const struct etc *e)
{
	struct buf b;
	int rc;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	rc = file_read(e->file, &b);
	if (rc == 0 && replace(e, e->backup[BESIDE], buf_view(&b)) < 0) {
		rc = file_make_dir(e->spare_dir, 0755);
		if (rc == 0)
			rc = write_fresh(e->backup[SPARE], e->file, buf_view(&b));
	}
	buf_fini(&b);
	return rc;
}

static int back_up(const struct etc *e)
{
	if (!exists(e->file) || (is_linked(e) && !exists(e->linked))) {
		forget(e);
		return 0;
	}
	unlink(e->backup[SPARE]);
	/* Somebody has written through our link: the file that it leads to is his now. */
	if (is_linked(e))
		return rename(e->linked, e->backup[BESIDE]) == 0 ? 0 : -errno;
	return back_up_by_link(e) == 0 ? 0 : back_up_by_copy(e);
}

static int put_with(
	const struct etc *e, struct view text, int (*put)(const struct etc *e, struct view text))
{
	enum etc_state before = state_of(e);
	bool keep = before == ETC_OURS || (before != ETC_OTHER && backup_of(e));
	int rc = keep ? 0 : back_up(e);

	if (rc == 0)
		rc = put(e, text);
	/* A mount on the file, or a directory that is closed to us: the file may be open nevertheless. */
	if (rc < 0 && write_in_place(e->file, text) == 0)
		rc = 0;
	if (rc < 0 && !keep)
		forget(e);
	return rc;
}

int etc_put(const struct etc *e, struct view text)
{
	return put_with(e, text, put_by_rename);
}

int etc_put_link(const struct etc *e, struct view text)
{
	return put_with(e, text, put_by_link);
}

/* ---- undo ---- */

static int put_back_by_copy(const struct etc *e, const char *backup)
{
	struct buf b;
	int rc;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	rc = file_read(backup, &b);
	if (rc == 0)
		rc = write_in_place(e->file, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int put_back(const struct etc *e)
{
	const char *backup = backup_of(e);

	if (!backup) /* there was none before */
		return unlink(e->file) == 0 || errno == ENOENT ? 0 : -errno;
	if (rename(backup, e->file) == 0)
		return 0;
	return put_back_by_copy(e, backup);
}

static bool is_networkmanagers(const char *path, struct buf *content)
{
	return file_read(path, content) == 0 &&
	       resolvconf_owner(buf_view(content)) == RESOLVCONF_NETWORKMANAGER;
}

/* It has not written the file while this was a link: other servers than those of the backup may be right by now. */
static int renew(const struct etc *e)
{
	struct buf before, now;
	struct stat st;
	int rc = 0;

	buf_init(&before, RESOLVCONF_TEXT_MAX);
	buf_init(&now, RESOLVCONF_TEXT_MAX);
	if (lstat(e->file, &st) == 0 && S_ISREG(st.st_mode) &&
		is_networkmanagers(e->file, &before) &&
		is_networkmanagers(e->networkmanager, &now) &&
		!view_eq(buf_view(&before), buf_view(&now)))
		rc = put_by_rename(e, buf_view(&now));
	buf_fini(&before);
	buf_fini(&now);
	return rc;
}

/* The file is our link; what it leads to is not ours if others have written through it. */
static int undo_link(const struct etc *e, enum etc_state s)
{
	int rc;

	if (s == ETC_OTHER)
		return rename(e->linked, e->file) == 0 ? 0 : -errno;
	rc = put_back(e);
	return rc == 0 ? renew(e) : rc;
}

int etc_undo(const struct etc *e)
{
	enum etc_state s = state_of(e);
	int rc = 0;

	/* Empty: what a loss of power leaves of a file of ours. Missing: it was removed, and so is to stay. */
	if (is_linked(e))
		rc = undo_link(e, s);
	else if (s == ETC_OURS || (s == ETC_EMPTY && backup_of(e)))
		rc = put_back(e);
	if (rc == 0) {
		forget(e);
		unlink(e->linked);
	}
	unlink(e->fresh);
	return rc;
}
