#include "os/file/file.h"
#include "base/text/text.h"
#include "crypto/keys/keys.h"
#include "os/loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

int file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		uint8_t chunk[4096];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		else if (n > 0)
			rc = buf_append(out, chunk, (size_t)n);
		if (n <= 0 || rc < 0)
			break;
	}
	close(fd);
	return rc;
}

static int write_all(int fd, struct view v)
{
	while (v.len) {
		ssize_t n = write(fd, v.p, v.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		v = view_of(v.p + n, v.len - (size_t)n);
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* The name is durable only when the directory is. */
static int sync_dir_of(const char *path)
{
	char dir[PATH_LEN];
	char *slash;
	int fd, rc;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		strcpy(dir, ".");
	else if (slash == dir)
		dir[1] = 0;
	else
		*slash = 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

int file_write(const char *path, struct view content, mode_t mode)
{
	char tmp[PATH_LEN];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, content);
	close(fd);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	if (rc < 0) {
		unlink(tmp);
		return rc;
	}
	return sync_dir_of(path);
}

int file_put(const char *tmp, const char *path)
{
	int fd = open(tmp, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	return rc < 0 ? rc : sync_dir_of(path);
}

/* As it is asked for, whatever the umask of the one who started us. */
static int make_one(const char *path, mode_t mode)
{
	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(path, mode) == 0 ? 0 : -errno;
}

int file_make_dir(const char *path, mode_t mode)
{
	char part[PATH_LEN];
	int rc;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		rc = make_one(part, 0755);
		if (rc < 0)
			return rc;
		*p = '/';
	}
	return make_one(part, mode);
}

static long number_in(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t pid;

	if (n <= 0)
		return 0;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return text_u64(text, strlen(text), INT32_MAX, &pid) == 0 ? (long)pid : 0;
}

int file_lock(const char *path, int *ret, long *ret_owner)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	*ret_owner = 0;
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = -errno;
	if (rc == -EWOULDBLOCK)
		*ret_owner = number_in(fd);
	if (rc == 0 && (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0))
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ret = fd;
	return 0;
}

int file_private_key(const char *path, uint8_t ret[static 32])
{
	char text[KEY_TEXT_MAX];
	struct buf b;
	size_t n;
	int rc;

	buf_init_secret(&b, 256);
	rc = file_read(path, &b);
	if (rc == -ENOENT) {
		key_generate(loop_rng(), ret);
		key_format(KEY_PRIVATE, ret, text);
		rc = file_write(path, view_of(text, strlen(text)), 0600);
		key_wipe(text, sizeof(text));
	} else if (rc == 0) {
		n = buf_len(&b);
		while (n && buf_data(&b)[n - 1] == '\n')
			n--;
		rc = key_parse(KEY_PRIVATE, (const char *)buf_data(&b), n, ret);
	}
	buf_fini(&b);
	return rc;
}
