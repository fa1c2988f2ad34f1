/* What the parts of the launcher share. */

#ifndef STANDFAST_LAUNCHER_H
#define STANDFAST_LAUNCHER_H

#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0A00
#include <windows.h>

#define LONGEST_PATH 32768

/* The folder that the launcher lies in, without a separator at its end. */
extern wchar_t home[LONGEST_PATH];

/* Show an error where there is no console, else write it there: English or Chinese, as Windows is. */
void show_failure(const wchar_t *english, const wchar_t *chinese, const wchar_t *detail);

/* Return 0 when every file of the program is there in its full length; else tell which is not, and return 1. */
int check_parts(void);

/* Be the service that runs the engine; return the exit status. */
int run_service(void);

/* Register the service for an account, or change it; the password is in STANDFAST_SERVICE_PASSWORD. */
int install_service(const wchar_t *account);

/* Stop the service and remove it. */
int remove_service(void);

#endif
