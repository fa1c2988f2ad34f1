/* The service: it starts the engine as a child, tells Windows when it is ready, and lets it end in order.
 *
 * The engine is wanted as long as its standard input is open, and says on its standard output that it is ready.
 * Nothing here is shown on a screen: what fails is the exit status, and in Windows' own log of services.
 */

#include "launcher.h"

#include <ntsecapi.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define NAME L"Standfast"
#define START_HINT_MS 120000
#define STOP_LIMIT_MS 180000
#define STEP_MS 2000

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS};
static HANDLE to_engine = NULL;
static HANDLE from_engine = NULL;
static HANDLE is_ready = NULL;
static HANDLE is_unwanted = NULL;

static void report(DWORD state, DWORD hint_ms, DWORD own_error)
{
    status.dwCurrentState = state;
    status.dwWaitHint = hint_ms;
    status.dwCheckPoint = hint_ms ? status.dwCheckPoint + 1 : 0;
    BOOL can_be_stopped = state == SERVICE_RUNNING || state == SERVICE_START_PENDING;
    status.dwControlsAccepted = can_be_stopped ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN : 0;
    status.dwWin32ExitCode = own_error ? ERROR_SERVICE_SPECIFIC_ERROR : NO_ERROR;
    status.dwServiceSpecificExitCode = own_error;
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI on_control(DWORD control, DWORD kind, void *event, void *context)
{
    (void)kind, (void)event, (void)context;
    if (control == SERVICE_CONTROL_STOP || control == SERVICE_CONTROL_PRESHUTDOWN) {
        report(SERVICE_STOP_PENDING, STOP_LIMIT_MS, 0);
        SetEvent(is_unwanted);
        return NO_ERROR;
    }
    return control == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
}

static DWORD WINAPI listen(void *unused)
{
    char line[4096];
    size_t length = 0;
    DWORD count = 0;
    char byte = 0;
    (void)unused;
    while (ReadFile(from_engine, &byte, 1, &count, NULL) && count == 1) {
        if (byte != '\n') {
            if (length < sizeof line - 1)
                line[length++] = byte;
            continue;
        }
        line[length] = 0;
        if (strstr(line, "\"engine\":\"ready\"") != NULL)
            SetEvent(is_ready);
        length = 0;
    }
    return 0;
}

static BOOL make_pipe(HANDLE *ours, HANDLE *theirs, BOOL they_write)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    if (!CreatePipe(they_write ? ours : theirs, they_write ? theirs : ours, &inherited, 0))
        return FALSE;
    return SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0);
}

static HANDLE start_engine(void)
{
    static wchar_t command[LONGEST_PATH + 64];
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION engine = {0};
    if (!make_pipe(&to_engine, &start.hStdInput, FALSE) || !make_pipe(&from_engine, &start.hStdOutput, TRUE))
        return NULL;
    start.hStdError = CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                  OPEN_EXISTING, 0, NULL);
    _snwprintf(command, LONGEST_PATH + 63, L"\"%ls\\Standfast.exe\" --headless --for-service", home);
    BOOL is_started = CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, home, &start, &engine);
    CloseHandle(start.hStdInput);
    CloseHandle(start.hStdOutput);
    CloseHandle(start.hStdError);
    if (!is_started)
        return NULL;
    CloseHandle(engine.hThread);
    return engine.hProcess;
}

/* Wait for the engine's end, which has been asked for; return its exit status. */
static DWORD end_engine(HANDLE engine)
{
    DWORD code = 1;
    CloseHandle(to_engine);
    for (DWORD waited_ms = 0; waited_ms < STOP_LIMIT_MS; waited_ms += STEP_MS) {
        if (WaitForSingleObject(engine, STEP_MS) == WAIT_OBJECT_0)
            break;
        report(SERVICE_STOP_PENDING, 3 * STEP_MS, 0);
    }
    if (!GetExitCodeProcess(engine, &code) || code == STILL_ACTIVE) {
        TerminateProcess(engine, 1);
        code = 1;
    }
    return code;
}

static void WINAPI be_service(DWORD count, wchar_t **arguments)
{
    (void)count, (void)arguments;
    handle = RegisterServiceCtrlHandlerExW(NAME, on_control, NULL);
    if (handle == NULL)
        return;
    report(SERVICE_START_PENDING, START_HINT_MS, 0);
    if (is_ready == NULL || is_unwanted == NULL) {
        report(SERVICE_STOPPED, 0, GetLastError());
        return;
    }
    HANDLE engine = start_engine();
    if (engine == NULL) {
        report(SERVICE_STOPPED, 0, GetLastError());
        return;
    }
    HANDLE listener = CreateThread(NULL, 0, listen, NULL, 0, NULL);
    HANDLE first[] = {engine, is_ready, is_unwanted};
    DWORD what = WaitForMultipleObjects(3, first, FALSE, INFINITE);
    if (what == WAIT_OBJECT_0 + 1) {
        report(SERVICE_RUNNING, 0, 0);
        HANDLE then[] = {engine, is_unwanted};
        what = WaitForMultipleObjects(2, then, FALSE, INFINITE);
    }
    BOOL was_wanted = WaitForSingleObject(is_unwanted, 0) != WAIT_OBJECT_0;
    DWORD code = end_engine(engine);
    CloseHandle(engine);
    if (listener != NULL) {
        WaitForSingleObject(listener, STEP_MS);
        CloseHandle(listener);
    }
    report(SERVICE_STOPPED, 0, was_wanted && code == 0 ? 1 : code);
}

int run_service(void)
{
    SERVICE_TABLE_ENTRYW table[] = {{NAME, be_service}, {NULL, NULL}};
    is_ready = CreateEventW(NULL, TRUE, FALSE, NULL); /* before Windows can ask for the end */
    is_unwanted = CreateEventW(NULL, TRUE, FALSE, NULL);
    return StartServiceCtrlDispatcherW(table) ? 0 : (int)GetLastError();
}

/* ---- registering ---------------------------------------------------------------------------------------- */

/* An account that is no service's own needs the right to log on as a service. */
static DWORD allow_logon(const wchar_t *account)
{
    BYTE sid[SECURITY_MAX_SID_SIZE];
    wchar_t domain[256], full[512];
    DWORD sid_bytes = sizeof sid, domain_count = 256, computer_count = 256;
    SID_NAME_USE use;
    LSA_HANDLE policy;
    LSA_OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes};
    if (wcsncmp(account, L".\\", 2) == 0 && GetComputerNameW(domain, &computer_count))
        _snwprintf(full, 511, L"%ls\\%ls", domain, account + 2);
    else
        _snwprintf(full, 511, L"%ls", account);
    full[511] = 0;
    if (!LookupAccountNameW(NULL, full, sid, &sid_bytes, domain, &domain_count, &use))
        return GetLastError();
    NTSTATUS failure =
        LsaOpenPolicy(NULL, &attributes, POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES, &policy);
    if (failure != 0)
        return LsaNtStatusToWinError(failure);
    wchar_t right[] = L"SeServiceLogonRight";
    LSA_UNICODE_STRING rights = {
        .Length = sizeof right - sizeof right[0], .MaximumLength = sizeof right, .Buffer = right};
    failure = LsaAddAccountRights(policy, sid, &rights, 1);
    LsaClose(policy);
    return failure == 0 ? NO_ERROR : LsaNtStatusToWinError(failure);
}

static void describe(SC_HANDLE service)
{
    wchar_t text[] = L"Backs up and recovers virtual machines, without a window.";
    SERVICE_DESCRIPTIONW description = {.lpDescription = text};
    SC_ACTION again[] = {{SC_ACTION_RESTART, 10000}, {SC_ACTION_RESTART, 60000}, {SC_ACTION_RESTART, 300000}};
    SERVICE_FAILURE_ACTIONSW actions = {.dwResetPeriod = 86400, .cActions = 3, .lpsaActions = again};
    SERVICE_FAILURE_ACTIONS_FLAG also_when_it_stops_with_an_error = {.fFailureActionsOnNonCrashFailures = TRUE};
    SERVICE_DELAYED_AUTO_START_INFO delayed = {.fDelayedAutostart = TRUE};
    SERVICE_PRESHUTDOWN_INFO end = {.dwPreshutdownTimeout = STOP_LIMIT_MS};
    ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &actions);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_when_it_stops_with_an_error);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &end);
}

static SC_HANDLE register_service(SC_HANDLE manager, const wchar_t *account, const wchar_t *password)
{
    static wchar_t command[LONGEST_PATH + 16];
    _snwprintf(command, LONGEST_PATH + 15, L"\"%ls\\Standfast.exe\" --service", home);
    SC_HANDLE service = OpenServiceW(manager, NAME, SERVICE_ALL_ACCESS);
    if (service == NULL)
        return CreateServiceW(manager, NAME, L"Standfast backup engine", SERVICE_ALL_ACCESS,
                              SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command, NULL,
                              NULL, NULL, account, password);
    if (ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command,
                             NULL, NULL, NULL, account, password, NULL))
        return service;
    DWORD failure = GetLastError();
    CloseServiceHandle(service);
    SetLastError(failure);
    return NULL;
}

int install_service(const wchar_t *account)
{
    wchar_t password[512];
    DWORD length = GetEnvironmentVariableW(L"STANDFAST_SERVICE_PASSWORD", password, 512);
    SetEnvironmentVariableW(L"STANDFAST_SERVICE_PASSWORD", NULL);
    if (length >= 512)
        return ERROR_INVALID_PASSWORD;
    if (length > 0) {
        DWORD refused = allow_logon(account);
        if (refused != NO_ERROR) {
            SecureZeroMemory(password, sizeof password);
            return (int)refused;
        }
    }
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CREATE_SERVICE | SC_MANAGER_CONNECT);
    SC_HANDLE service = manager == NULL ? NULL : register_service(manager, account, length > 0 ? password : NULL);
    int failure = service == NULL ? (int)GetLastError() : 0;
    SecureZeroMemory(password, sizeof password);
    if (service != NULL) {
        describe(service);
        if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
            failure = (int)GetLastError();
        CloseServiceHandle(service);
    }
    if (manager != NULL)
        CloseServiceHandle(manager);
    return failure;
}

static BOOL wait_for_end(SC_HANDLE service)
{
    SERVICE_STATUS now;
    for (DWORD waited_ms = 0; waited_ms < STOP_LIMIT_MS; waited_ms += 500) {
        if (!QueryServiceStatus(service, &now) || now.dwCurrentState == SERVICE_STOPPED)
            return TRUE;
        Sleep(500);
    }
    return FALSE;
}

int remove_service(void)
{
    SERVICE_STATUS now;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL)
        return (int)GetLastError();
    SC_HANDLE service = OpenServiceW(manager, NAME, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE);
    int failure = service == NULL ? (int)GetLastError() : 0;
    if (service != NULL) {
        if (ControlService(service, SERVICE_CONTROL_STOP, &now) && !wait_for_end(service))
            failure = ERROR_SERVICE_REQUEST_TIMEOUT;
        else if (!DeleteService(service))
            failure = (int)GetLastError();
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
    return failure == ERROR_SERVICE_DOES_NOT_EXIST ? 0 : failure;
}
