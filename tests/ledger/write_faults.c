/* Preloaded into a test: lets the n-th call of one kind on a regular file fail. Files opened for appending are
   the test's own notes and never fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE, PWRITE, FSYNC, FDATASYNC, RENAME, FTRUNCATE, UNLINK };

static int armed = 0, kind = 0, left = 0, error = 0, fired = 0;

void arm_fault(int which, int nth, int with) { kind = which; left = nth; error = with; fired = 0; armed = 1; }
int disarm_fault(void) { armed = 0; return fired; }

static int due(int which) {
    if (!armed || which != kind || fired || --left > 0) return 0;
    fired = 1;
    errno = error;
    return 1;
}

static int ours(int fd) {
    struct stat status;
    if (!armed || fstat(fd, &status) != 0) return 0;
    if (S_ISDIR(status.st_mode)) return 1;
    return S_ISREG(status.st_mode) && !(fcntl(fd, F_GETFL) & O_APPEND);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    return ours(fd) && due(WRITE) ? -1 : real(fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return ours(fd) && due(PWRITE) ? -1 : real(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return ours(fd) && due(PWRITE) ? -1 : real(fd, bytes, count, at);
}
int fsync(int fd) {
    REAL(int, fsync, int);
    return ours(fd) && due(FSYNC) ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return ours(fd) && due(FDATASYNC) ? -1 : real(fd);
}
int ftruncate(int fd, off_t length) {
    REAL(int, ftruncate, int, off_t);
    return ours(fd) && due(FTRUNCATE) ? -1 : real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    return ours(fd) && due(FTRUNCATE) ? -1 : real(fd, length);
}
int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return due(RENAME) ? -1 : real(from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    return due(RENAME) ? -1 : real(from_folder, from, to_folder, to);
}
int unlink(const char *path) {
    REAL(int, unlink, const char *);
    return due(UNLINK) ? -1 : real(path);
}
