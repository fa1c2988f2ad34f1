/*
 * A stand-in for VMware's VixDiskLib: the documented calls over plain files.
 *
 * Written for the tests of this program from the public documentation of the calls; nothing of it is VMware's.
 * It is strict: the order of the calls, who calls, the layout of what is passed and what is given back are checked,
 * and everything that no documentation explains is written to `violations` next to the library.
 *
 * What it does is in `double.conf` next to it, one order per line, fields separated by tabs:
 *
 *   login    <server> <port> <user> <password> <thumbprint>     what has to be given
 *   disk     <datastore path> <file>                            a disk, as a file
 *   snapshot <reference>                                        what has to be given for reading; *: any or none
 *   mode     <name>                                             GetTransportMode says this instead of what was asked
 *   without  <mode>                                             Open fails with 13 in this mode
 *   capacity <sectors>                                          GetInfo says this
 *   fail     <function> <n> <error> [once]                      the nth call returns this
 *   abort    <function> <n> [once]                              the nth call ends the process, after a panic
 *   exit     <function> <n> [once]                              the nth call ends it without a word
 *   hang     <function> <n> [once]                              the nth call never returns
 *   slow     <function> <milliseconds>                          each call takes so long
 *   wait     <function> <n> <file>                              the nth call waits until the file is there
 *   say      <text>                                             a warning, at each Open
 *
 * Every call is appended to `calls` as "<process> <function> <arguments>".
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint64_t VixError;
typedef void LogFunction(const char *format, va_list arguments);

typedef struct {
   char *vmxSpec;
   char *serverName;
   char *thumbPrint;
   long privateUse;
   int credType;
   union {
      struct { char *userName; char *password; } uid;
      struct { char *cookie; char *userName; char *key; } sessionId;
   } creds;
   uint32_t port;
   uint32_t nfcHostPort;
   char *reserved3;
   char reserved4[8];
   void *reserved5;
   struct { char *id; char *datastoreMoRef; char *ssId; } spec;
   int specType;
} ConnectParams;

typedef struct { uint32_t cylinders, heads, sectors; } Geometry;

typedef struct {
   Geometry biosGeo, physGeo;
   uint64_t capacity;
   int adapterType;
   int numLinks;
   char *parentFileNameHint;
   char *uuid;
   uint32_t logicalSectorSize, physicalSectorSize;
} DiskInfo;

typedef struct { uint64_t offset, length; } Block;
typedef struct { uint32_t numBlocks; Block blocks[1]; } BlockList;

_Static_assert(sizeof(ConnectParams) == 128, "ConnectParams");
_Static_assert(offsetof(ConnectParams, credType) == 32, "credType");
_Static_assert(offsetof(ConnectParams, creds) == 40, "creds");
_Static_assert(offsetof(ConnectParams, port) == 64, "port");
_Static_assert(offsetof(ConnectParams, nfcHostPort) == 68, "nfcHostPort");
_Static_assert(offsetof(ConnectParams, spec) == 96, "spec");
_Static_assert(offsetof(ConnectParams, specType) == 120, "specType");
_Static_assert(sizeof(DiskInfo) == 64, "DiskInfo");
_Static_assert(offsetof(DiskInfo, capacity) == 24, "capacity");
_Static_assert(offsetof(DiskInfo, uuid) == 48, "uuid");

enum { OK = 0, E_INVALID_ARG = 3, E_NOT_FOUND = 4, E_FILE_ERROR = 7, E_ACCESS = 13, E_RANGE = 16007 };
enum { SECTOR = 512, READ_ONLY = 4, SMALLEST_CHUNK = 128, MOST_CHUNKS = 512 * 1024 };
#define PRIVATE_MARK 0x5d0b1eL

typedef struct { int readOnly; char transport[64]; int isOpen; } Connection;
typedef struct {
   Connection *connection;
   int file;
   uint64_t sectors;
   volatile int inUse;
   char mode[64];
   int infos, lists;
} Disk;

static char folder[4096];
static LogFunction *logIt, *warnIt, *panicIt;
static int isInitialized, connections, disks, params, texts;
static long caller;

/* ---- files beside the library ---- */

static const char *beside(const char *name, char *path, size_t size)
{
   if (!folder[0]) {
      Dl_info info;
      dladdr((void *)beside, &info);
      char *real = realpath(info.dli_fname, NULL);
      snprintf(folder, sizeof folder, "%s", real);
      free(real);
      *strrchr(folder, '/') = 0;
   }
   snprintf(path, size, "%s/%s", folder, name);
   return path;
}

static void append(const char *name, const char *format, va_list arguments)
{
   char path[4200], line[2048];
   int size = snprintf(line, sizeof line, "%d ", (int)getpid());
   size += vsnprintf(line + size, sizeof line - size - 1, format, arguments);
   line[size++] = '\n';
   int file = open(beside(name, path, sizeof path), O_WRONLY | O_CREAT | O_APPEND, 0600);
   if (write(file, line, size) != size)
      abort();
   close(file);
}

static void note(const char *format, ...)
{
   va_list arguments;
   va_start(arguments, format);
   append("calls", format, arguments);
   va_end(arguments);
}

static void violation(const char *format, ...)
{
   va_list arguments;
   va_start(arguments, format);
   append("violations", format, arguments);
   va_end(arguments);
}

static void say(LogFunction *function, const char *format, ...)
{
   va_list arguments;
   va_start(arguments, format);
   function(format, arguments);
   va_end(arguments);
}

/* Finds the next order of a kind after `*position`; its fields are in `fields`. */
static int order(const char *kind, long *position, char fields[6][1024])
{
   char path[4200], line[4096];
   FILE *file = fopen(beside("double.conf", path, sizeof path), "r");
   if (!file)
      return 0;
   fseek(file, *position, SEEK_SET);
   while (fgets(line, sizeof line, file)) {
      *position = ftell(file);
      line[strcspn(line, "\n")] = 0;
      memset(fields, 0, 6 * 1024);
      char *rest = line, *field;
      for (int i = 0; i < 6 && (field = strsep(&rest, "\t")); i++)
         snprintf(fields[i], 1024, "%s", field);
      if (!strcmp(fields[0], kind)) {
         fclose(file);
         return 1;
      }
   }
   fclose(file);
   return 0;
}

/* Returns whether an order for the nth call fires; one with "once" does so in one process only. */
static int fires(const char *kind, const char *function, int calls, char fields[6][1024], int once)
{
   long position = 0;
   while (order(kind, &position, fields)) {
      if (strcmp(fields[1], function) || atoi(fields[2]) != calls)
         continue;
      if (!strcmp(fields[once], "once")) {
         char name[256], path[4600];
         snprintf(name, sizeof name, "fired-%s-%s-%d", kind, function, calls);
         int file = open(beside(name, path, sizeof path), O_WRONLY | O_CREAT | O_EXCL, 0600);
         if (file < 0)
            continue;
         close(file);
      }
      return 1;
   }
   return 0;
}

static VixError misbehave(const char *function, int calls)
{
   char fields[6][1024];
   long position = 0;
   while (order("slow", &position, fields))
      if (!strcmp(fields[1], function))
         usleep(atoi(fields[2]) * 1000);
   if (fires("wait", function, calls, fields, 5))
      while (access(fields[3], F_OK))
         usleep(2000);
   if (fires("hang", function, calls, fields, 3))
      for (;;)
         pause();
   if (fires("exit", function, calls, fields, 3))
      _exit(3);
   if (fires("abort", function, calls, fields, 3)) {
      say(panicIt, "PANIC: %s of %s failed", "an assertion", function);
      abort();
   }
   if (fires("fail", function, calls, fields, 4))
      return strtoull(fields[3], NULL, 0);
   return OK;
}

/* Begins each call: counts it, looks who calls, and does what the orders say. */
#define BEGIN(name, ...)                                                              \
   static int calls;                                                                  \
   note(name " " __VA_ARGS__);                                                        \
   if (syscall(SYS_gettid) != caller)                                                 \
      violation(name ": called on another thread than InitEx");                       \
   if (!isInitialized)                                                                \
      violation(name ": not initialized");                                            \
   VixError ordered = misbehave(name, ++calls);                                       \
   if (ordered)                                                                       \
      return ordered

/* ---- the library ---- */

VixError VixDiskLib_InitEx(uint32_t major, uint32_t minor, LogFunction *log, LogFunction *warn, LogFunction *panic,
                           const char *libDir, const char *configFile)
{
   static int calls;
   note("InitEx %u.%u", major, minor);
   if (isInitialized)
      violation("InitEx: a second time");
   if (!log || !warn || !panic)
      violation("InitEx: a log function is missing");
   logIt = log, warnIt = warn, panicIt = panic;
   caller = syscall(SYS_gettid);
   if (!libDir || strncmp(folder, libDir, strlen(libDir)))
      violation("InitEx: the library is not below %s", libDir ? libDir : "NULL");
   char line[4096], temporary[4096] = "";
   unsigned size = 0, count = 0;
   FILE *file = configFile ? fopen(configFile, "r") : NULL;
   if (!file)
      violation("InitEx: no configuration");
   while (file && fgets(line, sizeof line, file)) {
      sscanf(line, "tmpDirectory=\"%4095[^\"]\"", temporary);
      sscanf(line, "vixDiskLib.nfcAio.Session.BufSizeIn64KB=%u", &size);
      sscanf(line, "vixDiskLib.nfcAio.Session.BufCount=%u", &count);
   }
   if (file)
      fclose(file);
   struct stat status;
   if (stat(temporary, &status) || !S_ISDIR(status.st_mode))
      violation("InitEx: there is no temporary folder %s", temporary);
   note("buffers %u", size * 64 * count);
   const char *path = getenv("LD_LIBRARY_PATH");
   if (!path || strcmp(path, folder))
      violation("InitEx: the search path is %s", path ? path : "not set");
   isInitialized = 1;
   say(logIt, "log line %d", 1);
   VixError ordered = misbehave("InitEx", ++calls);
   if (ordered)
      isInitialized = 0;
   return ordered;
}

void VixDiskLib_Exit(void)
{
   note("Exit");
   if (!isInitialized)
      violation("Exit: not initialized");
   if (connections || disks)
      violation("Exit: %d connections and %d disks are open", connections, disks);
   if (texts)
      violation("Exit: %d texts were not given back", texts);
   isInitialized = 0;
}

char *VixDiskLib_GetErrorText(VixError error, const char *locale)
{
   char *text;
   if (locale)
      violation("GetErrorText: a locale");
   if (asprintf(&text, "the words of error %d", (int)(error & 0xFFFF)) < 0)
      abort();
   texts++;
   return text;
}

void VixDiskLib_FreeErrorText(char *text)
{
   texts--;
   free(text);
}

ConnectParams *VixDiskLib_AllocateConnectParams(void)
{
   ConnectParams *made = calloc(1, sizeof *made);
   made->privateUse = PRIVATE_MARK;
   params++;
   return made;
}

static void same(const char *function, const char *what, const char *given, const char *expected)
{
   if (!given || strcmp(given, expected))
      violation("%s: %s is not what was ordered", function, what);
}

static VixError check(const char *function, const ConnectParams *given)
{
   char fields[6][1024];
   long position = 0;
   static const char zeros[32];
   if (!given) {
      violation("%s: no login", function);
      return E_INVALID_ARG;
   }
   if (given->privateUse != PRIVATE_MARK)
      violation("%s: the login was not made by AllocateConnectParams", function);
   if (!given->vmxSpec || strncmp(given->vmxSpec, "moref=", 6))
      violation("%s: no VM is named", function);
   if (given->credType != 1)
      violation("%s: credentials of the kind %d", function, given->credType);
   if (given->nfcHostPort || given->reserved3 || memcmp(given->reserved4, zeros, 8) || given->reserved5 ||
       memcmp(&given->spec, zeros, sizeof given->spec) || given->specType || given->creds.sessionId.key)
      violation("%s: something is in a field that nothing explains", function);
   if (order("login", &position, fields)) {
      same(function, "the server", given->serverName, fields[1]);
      if (given->port != (uint32_t)atoi(fields[2]))
         violation("%s: port %u", function, given->port);
      same(function, "the account", given->creds.uid.userName, fields[3]);
      same(function, "the thumbprint", given->thumbPrint, fields[5]);
      if (strcmp(given->creds.uid.password ? given->creds.uid.password : "", fields[4])) {
         say(warnIt, "login with %s refused", given->creds.uid.password);
         return 35;
      }
   }
   return OK;
}

VixError VixDiskLib_PrepareForAccess(const ConnectParams *given, const char *identity)
{
   BEGIN("PrepareForAccess", "%s %s", given->vmxSpec, identity);
   if (!identity || !*identity || strlen(identity) > 50)
      violation("PrepareForAccess: an identity of more than 50 characters, or none");
   return check("PrepareForAccess", given);
}

VixError VixDiskLib_EndAccess(const ConnectParams *given, const char *identity)
{
   BEGIN("EndAccess", "%s %s", given->vmxSpec, identity);
   if (disks)
      violation("EndAccess: a disk is open");
   return check("EndAccess", given);
}

VixError VixDiskLib_Cleanup(const ConnectParams *given, uint32_t *cleaned, uint32_t *remaining)
{
   BEGIN("Cleanup", "%s", given->vmxSpec);
   if (!cleaned || !remaining)
      violation("Cleanup: no place for its counts");
   if (connections || disks)
      violation("Cleanup: something is open");
   *cleaned = 1;
   *remaining = 0;
   return check("Cleanup", given);
}

VixError VixDiskLib_ConnectEx(const ConnectParams *given, char readOnly, const char *snapshot, const char *transport,
                              void **connection)
{
   char fields[6][1024];
   long position = 0;
   BEGIN("ConnectEx", "%d %s %s", readOnly, snapshot ? snapshot : "-", transport ? transport : "-");
   if (readOnly != 0 && readOnly != 1)
      violation("ConnectEx: readOnly is %d", readOnly);
   if (order("snapshot", &position, fields) && readOnly)
      strcmp(fields[1], "*") ? same("ConnectEx", "the snapshot", snapshot, fields[1]) : (void)0;
   else if (snapshot)
      violation("ConnectEx: the snapshot %s", snapshot);
   if (!transport || (strcmp(transport, "san") && strcmp(transport, "hotadd") && strcmp(transport, "nbdssl") &&
                      strcmp(transport, "nbd")))
      violation("ConnectEx: the transport %s", transport ? transport : "NULL");
   VixError error = check("ConnectEx", given);
   if (error)
      return error;
   Connection *made = calloc(1, sizeof *made);
   made->readOnly = readOnly;
   made->isOpen = 1;
   snprintf(made->transport, sizeof made->transport, "%s", transport);
   connections++;
   *connection = made;
   return OK;
}

VixError VixDiskLib_Disconnect(void *handle)
{
   BEGIN("Disconnect", "");
   Connection *connection = handle;
   if (!connection || !connection->isOpen) {
      violation("Disconnect: no connection");
      return E_INVALID_ARG;
   }
   if (disks)
      violation("Disconnect: a disk is open");
   connection->isOpen = 0;
   connections--;
   return OK;
}

VixError VixDiskLib_Open(void *handle, const char *path, uint32_t flags, void **disk)
{
   char fields[6][1024];
   long position = 0;
   struct stat status;
   BEGIN("Open", "%s %u", path, flags);
   Connection *connection = handle;
   if (!connection || !connection->isOpen) {
      violation("Open: no connection");
      return E_INVALID_ARG;
   }
   if (flags != (connection->readOnly ? READ_ONLY : 0))
      violation("Open: flags %u", flags);
   while (order("say", &position, fields))
      say(warnIt, "%s", fields[1]);
   position = 0;
   while (order("without", &position, fields))
      if (!strcmp(fields[1], connection->transport))
         return E_ACCESS;
   position = 0;
   while (order("disk", &position, fields)) {
      if (strcmp(fields[1], path))
         continue;
      Disk *made = calloc(1, sizeof *made);
      made->file = open(fields[2], connection->readOnly ? O_RDONLY : O_RDWR);
      if (made->file < 0 || fstat(made->file, &status))
         return E_FILE_ERROR;
      made->connection = connection;
      made->sectors = status.st_size / SECTOR;
      snprintf(made->mode, sizeof made->mode, "%s", connection->transport);
      disks++;
      *disk = made;
      return OK;
   }
   return E_NOT_FOUND;
}

VixError VixDiskLib_Close(void *handle)
{
   BEGIN("Close", "");
   Disk *disk = handle;
   if (!disk || disk->file < 0) {
      violation("Close: no disk");
      return E_INVALID_ARG;
   }
   if (disk->infos || disk->lists)
      violation("Close: %d infos and %d lists were not given back", disk->infos, disk->lists);
   close(disk->file);
   disk->file = -1;
   disks--;
   return OK;
}

const char *VixDiskLib_GetTransportMode(void *handle)
{
   char fields[6][1024];
   long position = 0;
   Disk *disk = handle;
   if (order("mode", &position, fields))
      snprintf(disk->mode, sizeof disk->mode, "%.63s", fields[1]);
   return disk->mode;
}

static Disk *current;

VixError VixDiskLib_GetInfo(void *handle, DiskInfo **info)
{
   char fields[6][1024];
   long position = 0;
   BEGIN("GetInfo", "");
   Disk *disk = handle;
   *info = calloc(1, sizeof **info);
   (*info)->capacity = order("capacity", &position, fields) ? strtoull(fields[1], NULL, 0) : disk->sectors;
   (*info)->adapterType = 3;
   (*info)->numLinks = 1;
   current = disk;
   disk->infos++;
   return OK;
}

void VixDiskLib_FreeInfo(DiskInfo *info)
{
   if (!info || !current)
      violation("FreeInfo: nothing");
   else
      current->infos--;
   free(info);
}

static int enter(const char *function, Disk *disk, uint64_t start, uint64_t count, const void *buffer)
{
   if (__atomic_exchange_n(&disk->inUse, 1, __ATOMIC_SEQ_CST))
      violation("%s: another one is under way on this disk", function);
   if (!buffer || !count)
      violation("%s: nothing to do", function);
   if (start + count > disk->sectors) {
      violation("%s: beyond the end of the disk", function);
      return 0;
   }
   return 1;
}

VixError VixDiskLib_Read(void *handle, uint64_t start, uint64_t count, uint8_t *buffer)
{
   BEGIN("Read", "%lu %lu", start, count);
   Disk *disk = handle;
   VixError error = OK;
   if (!enter("Read", disk, start, count, buffer))
      error = E_RANGE;
   else if (pread(disk->file, buffer, count * SECTOR, start * SECTOR) != (ssize_t)(count * SECTOR))
      error = 14005;
   disk->inUse = 0;
   return error;
}

VixError VixDiskLib_Write(void *handle, uint64_t start, uint64_t count, const uint8_t *buffer)
{
   BEGIN("Write", "%lu %lu", start, count);
   Disk *disk = handle;
   VixError error = OK;
   if (disk->connection->readOnly)
      violation("Write: the disk is open for reading");
   if (!enter("Write", disk, start, count, buffer))
      error = E_RANGE;
   else if (pwrite(disk->file, buffer, count * SECTOR, start * SECTOR) != (ssize_t)(count * SECTOR))
      error = E_FILE_ERROR;
   disk->inUse = 0;
   return error;
}

VixError VixDiskLib_Flush(void *handle)
{
   BEGIN("Flush", "");
   return fsync(((Disk *)handle)->file) ? E_FILE_ERROR : OK;
}

#ifndef WITHOUT_LISTING
VixError VixDiskLib_QueryAllocatedBlocks(void *handle, uint64_t start, uint64_t count, uint64_t chunk,
                                         BlockList **list)
{
   BEGIN("QueryAllocatedBlocks", "%lu %lu %lu", start, count, chunk);
   Disk *disk = handle;
   if (chunk < SMALLEST_CHUNK || count % chunk || start % chunk || count / chunk > MOST_CHUNKS || !count ||
       start + count > disk->sectors) {
      violation("QueryAllocatedBlocks: %lu sectors from %lu on in chunks of %lu", count, start, chunk);
      return E_INVALID_ARG;
   }
   uint8_t *bytes = malloc(chunk * SECTOR);
   BlockList *made = calloc(1, sizeof *made + count / chunk * sizeof(Block));
   for (uint64_t at = start; at < start + count; at += chunk) {
      off_t data = lseek(disk->file, at * SECTOR, SEEK_DATA);
      if (data < 0)
         break;
      if ((uint64_t)data / SECTOR >= at + chunk) {
         at += (data / SECTOR - at) / chunk * chunk;
         if (at >= start + count)
            break;
      }
      if (pread(disk->file, bytes, chunk * SECTOR, at * SECTOR) < 0)
         abort();
      int isZero = !bytes[0] && !memcmp(bytes, bytes + 1, chunk * SECTOR - 1);
      Block *last = made->numBlocks ? &made->blocks[made->numBlocks - 1] : NULL;
      if (isZero)
         continue;
      if (last && last->offset + last->length == at)
         last->length += chunk;
      else
         made->blocks[made->numBlocks++] = (Block){at, chunk};
   }
   free(bytes);
   current = disk;
   disk->lists++;
   *list = made;
   return OK;
}

VixError VixDiskLib_FreeBlockList(BlockList *list)
{
   current->lists--;
   free(list);
   return OK;
}
#endif
