/* Loads an NFS server through libnfs, many requests at once: what a host of VMs does to it.
 *
 * nfsload URL FILE read|write BYTES DEPTH COUNT sequential|random FIRST SPAN SEED [sync]
 *
 * Prints the seconds that COUNT requests of BYTES bytes took, DEPTH of them under way at any time, somewhere in the
 * SPAN bytes of the file that begin at FIRST. With "sync" every write is durable when it is answered (O_SYNC: FILE_SYNC).
 * The few declarations stand here, so that the library's headers need not be installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct nfs_context;
struct nfsfh;
struct nfs_url { char *server, *path, *file; };
typedef void (*nfs_cb)(int, struct nfs_context *, void *, void *);
extern struct nfs_context *nfs_init_context(void);
extern struct nfs_url *nfs_parse_url_dir(struct nfs_context *, const char *);
extern int nfs_mount(struct nfs_context *, const char *, const char *);
extern int nfs_open(struct nfs_context *, const char *, int, struct nfsfh **);
extern int nfs_pread_async(struct nfs_context *, struct nfsfh *, uint64_t, uint64_t, nfs_cb, void *);
extern int nfs_pwrite_async(struct nfs_context *, struct nfsfh *, uint64_t, uint64_t, const void *, nfs_cb, void *);
extern int nfs_get_fd(struct nfs_context *);
extern int nfs_which_events(struct nfs_context *);
extern int nfs_service(struct nfs_context *, int);
extern char *nfs_get_error(struct nfs_context *);

static struct nfsfh *file;
static uint64_t bytes, first, span, sent, done, count, state = 88172645463325252ULL;
static int writes, in_order;
static char *data;

static uint64_t any(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void fail(struct nfs_context *nfs, const char *what) {
    fprintf(stderr, "%s: %s\n", what, nfs_get_error(nfs));
    exit(1);
}

static void next(struct nfs_context *nfs);

static void answered(int result, struct nfs_context *nfs, void *answer, void *private) {
    (void)answer;
    (void)private;
    if (result != (int)bytes) fail(nfs, "a request failed");
    done++;
    next(nfs);
}

static void next(struct nfs_context *nfs) {
    if (sent == count) return;
    uint64_t blocks = span / bytes;
    uint64_t at = first + (in_order ? sent % blocks : any() % blocks) * bytes;
    sent++;
    if (writes) memcpy(data, &sent, sizeof sent);
    int refused = writes ? nfs_pwrite_async(nfs, file, at, bytes, data, answered, NULL)
                         : nfs_pread_async(nfs, file, at, bytes, answered, NULL);
    if (refused) fail(nfs, "a request was not sent");
}

int main(int argc, char **argv) {
    if (argc < 11) return 2;
    struct nfs_context *nfs = nfs_init_context();
    struct nfs_url *url = nfs_parse_url_dir(nfs, argv[1]);
    if (url == NULL || nfs_mount(nfs, url->server, url->path) != 0) fail(nfs, "mount");
    writes = strcmp(argv[3], "write") == 0;
    bytes = strtoull(argv[4], NULL, 10);
    uint64_t depth = strtoull(argv[5], NULL, 10);
    count = strtoull(argv[6], NULL, 10);
    in_order = strcmp(argv[7], "sequential") == 0;
    first = strtoull(argv[8], NULL, 10);
    span = strtoull(argv[9], NULL, 10);
    state ^= strtoull(argv[10], NULL, 10) * 2654435761ULL;
    for (int i = 0; i < 20; i++) any();
    int flags = writes ? O_RDWR : O_RDONLY;
    if (argc > 11) flags |= O_SYNC;
    if (nfs_open(nfs, argv[2], flags, &file) != 0) fail(nfs, "open");
    data = malloc(bytes);
    for (uint64_t i = 0; i < bytes; i++) data[i] = (char)any();
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t i = 0; i < depth; i++) next(nfs);
    while (done < count) {
        struct pollfd ready = {nfs_get_fd(nfs), (short)nfs_which_events(nfs), 0};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR) fail(nfs, "poll");
        if (nfs_service(nfs, ready.revents) < 0) fail(nfs, "service");
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.6f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return 0;
}
