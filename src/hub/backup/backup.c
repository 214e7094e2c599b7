#include "hub/backup/backup.h"
#include "hub/backup/place.h"
#include "base/arena/arena.h"
#include "crypto/ct/ct.h"
#include "os/file/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

/* What is made anew by itself, or is the database, which is copied another way. */
static bool is_left_out(const char *name)
{
	static const char *const prefixes[] = { ".", "hub.db", "hub.lock", "policy-git",
		"replaced-" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return (len > 4 && !strcmp(name + len - 4, ".new")) ||
	       (len > 5 && !strcmp(name + len - 5, ".part"));
}

/* ---- Making ---- */

struct found {
	struct arena mem;
	struct store_backup_file v[STORE_BACKUP_FILES_MAX];
	size_t n;
	const char *state_dir;
	struct err_at *at;
};

static int take_file(struct found *f, const char *name, const struct stat *st)
{
	char path[PATH_LEN];
	struct buf b;
	char *copy;
	int rc;

	if (f->n == STORE_BACKUP_FILES_MAX || st->st_size > STORE_BACKUP_FILE_MAX ||
		!store_backup_name_is_good(name)) {
		err_at_set(f->at, 0, 0,
			"%.200s/%.100s does not belong to a hub, or is too large: move it elsewhere",
			f->state_dir, name);
		return -ERR_TOO_BIG;
	}
	snprintf(path, sizeof(path), "%s/%s", f->state_dir, name);
	buf_init(&b, STORE_BACKUP_FILE_MAX);
	b.secret = true;
	rc = file_read(path, &b);
	if (rc < 0)
		rc = file_explain(path, rc, f->at);
	copy = rc == 0 ? arena_strndup(&f->mem, buf_data(&b), buf_len(&b)) : NULL;
	if (rc == 0)
		f->v[f->n] = (struct store_backup_file){ .name = arena_printf(&f->mem, "%s", name),
			.mode = st->st_mode & 07777,
			.content = view_of(copy, buf_len(&b)) };
	if (rc == 0 && (!copy || !f->v[f->n].name))
		rc = -ENOMEM;
	f->n += rc == 0;
	buf_fini(&b);
	return rc;
}

/* below: "" or "acme/" */
static int take_dir(struct found *f, const char *below)
{
	char path[PATH_LEN], name[PATH_LEN];
	struct dirent *e;
	DIR *d;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s", f->state_dir, below);
	d = opendir(path);
	if (!d)
		return file_explain(path, -errno, f->at);
	while (rc == 0 && (e = readdir(d))) {
		struct stat st;

		if (is_left_out(e->d_name))
			continue;
		snprintf(name, sizeof(name), "%.128s%.255s", below, e->d_name);
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue; /* it has just gone */
		if (S_ISREG(st.st_mode)) {
			rc = take_file(f, name, &st);
		} else if (S_ISDIR(st.st_mode) && !*below) {
			strcat(name, "/");
			rc = take_dir(f, name);
		}
	}
	closedir(d);
	return rc;
}

int backup_make(const char *state_dir, const char *to, unix_ms now, struct store_backup_info *ret,
	struct err_at *at)
{
	struct store_backup_info info = { .made = now, .version = WARREN_VERSION };
	struct found *f = calloc(1, sizeof(*f));
	struct store_backup *b;
	char db[PATH_LEN];
	int rc;

	if (!f)
		return -ENOMEM;
	at->text[0] = 0;
	f->state_dir = state_dir;
	f->at = at;
	arena_init(&f->mem, (size_t)STORE_BACKUP_FILES_MAX * STORE_BACKUP_FILE_MAX);
	snprintf(db, sizeof(db), "%s/hub.db", state_dir);
	rc = take_dir(f, "");
	if (rc == 0)
		rc = store_backup_write(db, to, f->v, f->n, &info, at);
	for (size_t i = 0; i < f->n; i++)
		ct_wipe((void *)f->v[i].content.p, f->v[i].content.len);
	arena_fini(&f->mem);
	free(f);
	if (rc < 0)
		return rc;
	/* A backup that was never read is a hope. */
	rc = store_backup_open(&b, to, at);
	if (rc == 0)
		store_backup_info(b, ret);
	store_backup_close(b);
	return rc;
}

/* ---- Putting back ---- */

struct restore {
	const char *dir;
	struct err_at *at;
};

static int put_file(void *ctx, const struct store_backup_file *file)
{
	const struct restore *r = ctx;
	const char *slash = strchr(file->name, '/');
	char path[PATH_LEN];
	int rc = 0;

	if (slash) {
		snprintf(path, sizeof(path), "%s/%.*s", r->dir, (int)(slash - file->name),
			file->name);
		rc = file_make_dir(path, 0700);
		if (rc == 0)
			rc = place_give(r->dir, path);
	}
	snprintf(path, sizeof(path), "%s/%s", r->dir, file->name);
	if (rc == 0)
		rc = file_write(path, file->content, file->mode);
	if (rc == 0)
		rc = place_give(r->dir, path);
	if (rc < 0)
		err_at_set(r->at, 0, 0, "%.300s: %s", path, err_text(rc));
	return rc;
}

/* All of the hub that was here goes to one directory. The database first: without it there is no hub. */
static int move_away(const struct restore *r, unix_ms now, char ret[static PATH_LEN])
{
	static const char *const db[] = { "hub.db", "hub.db-wal", "hub.db-shm" };
	char when[TIME_RFC3339_MAX], path[PATH_LEN], to[PATH_LEN];
	struct dirent *e;
	DIR *d;
	int rc;

	time_format_rfc3339(now - now % 1000, when);
	for (char *p = when; *p; p++)
		*p = *p == ':' ? '-' : *p;
	if (snprintf(ret, PATH_LEN, "%s/replaced-%s", r->dir, when) >= PATH_LEN - 256)
		return -ENAMETOOLONG;
	rc = file_make_dir(ret, 0700);
	for (size_t i = 0; i < ARRAY_LEN(db) && rc == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, db[i]);
		snprintf(to, sizeof(to), "%s/%s", ret, db[i]);
		if (rename(path, to) != 0 && errno != ENOENT)
			rc = -errno;
	}
	d = rc == 0 ? opendir(r->dir) : NULL;
	while (d && rc == 0 && (e = readdir(d))) {
		if (is_left_out(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", r->dir, e->d_name);
		snprintf(to, sizeof(to), "%s/%s", ret, e->d_name);
		if (rename(path, to) != 0)
			rc = -errno;
	}
	if (d)
		closedir(d);
	if (rc == 0)
		rc = place_give(r->dir, ret);
	if (rc < 0)
		err_at_set(r->at, 0, 0, "moving the hub in %.200s to %.200s: %s", r->dir, ret,
			err_text(rc));
	return rc;
}

static int put_back(struct store_backup *b, struct restore *r, bool replace, unix_ms now,
	char ret_moved[static PATH_LEN])
{
	char db[PATH_LEN];
	int rc = 0;

	ret_moved[0] = 0;
	if (place_has_hub(r->dir) && !replace) {
		err_at_set(r->at, 0, 0,
			"%.200s has a hub already; with --replace it is kept aside, and this one takes its place",
			r->dir);
		return -EEXIST;
	}
	if (place_has_hub(r->dir))
		rc = move_away(r, now, ret_moved);
	/* The keys before the database: a hub that finds them alone says what is missing, and makes no new one. */
	if (rc == 0)
		rc = store_backup_files(b, put_file, r);
	snprintf(db, sizeof(db), "%s/hub.db", r->dir);
	if (rc == 0)
		rc = store_backup_extract(b, db, r->at);
	if (rc == 0)
		rc = place_give(r->dir, db);
	if (rc < 0 && !r->at->text[0])
		err_at_set(r->at, 0, 0, "%.300s: %s", r->dir, err_text(rc));
	return rc;
}

int backup_restore(const char *file, const char *state_dir, bool replace, unix_ms now,
	char ret_moved[static PATH_LEN], struct store_backup_info *ret, struct err_at *at)
{
	struct restore r = { .dir = state_dir, .at = at };
	struct store_backup *b;
	int held, rc;

	at->text[0] = 0;
	rc = store_backup_open(&b, file, at);
	if (rc < 0)
		return rc;
	store_backup_info(b, ret);
	rc = place_lock(state_dir, &held, at);
	if (rc == 0) {
		rc = put_back(b, &r, replace, now, ret_moved);
		close(held);
	}
	store_backup_close(b);
	return rc;
}
