/* Standfast.exe, and with a console debugctl.exe and standfast-console.exe: the program in this process.
 *
 * Python is loaded, not started: Task Manager, the firewall and the taskbar see Standfast, and no console opens.
 * What Python is told with -X standfast_launcher is that this file starts the program again (app/paths.py).
 */

#include "launcher.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

wchar_t home[LONGEST_PATH];

typedef int (*python_main)(int count, wchar_t **arguments);

static BOOL is_chinese(void)
{
    return PRIMARYLANGID(GetUserDefaultUILanguage()) == LANG_CHINESE;
}

void show_failure(const wchar_t *english, const wchar_t *chinese, const wchar_t *detail)
{
    static wchar_t text[LONGEST_PATH];
    _snwprintf(text, LONGEST_PATH - 1, is_chinese() ? chinese : english, detail);
#ifdef CONSOLE
    fflush(stderr);
    _setmode(_fileno(stderr), _O_U8TEXT);
    fwprintf(stderr, L"%ls\n", text);
#else
    MessageBoxW(NULL, text, is_chinese() ? L"磐备" : L"Standfast", MB_ICONERROR | MB_OK | MB_SETFOREGROUND);
#endif
}

static wchar_t *below_home(const wchar_t *name)
{
    wchar_t *path = malloc(sizeof(wchar_t) * LONGEST_PATH);
    if (path == NULL)
        abort();
    _snwprintf(path, LONGEST_PATH - 1, L"%ls\\%ls", home, name);
    path[LONGEST_PATH - 1] = 0;
    return path;
}

static BOOL find_home(wchar_t *own_name)
{
    DWORD length = GetModuleFileNameW(NULL, home, LONGEST_PATH);
    wchar_t *separator = wcsrchr(home, L'\\');
    if (length == 0 || length >= LONGEST_PATH || separator == NULL)
        return FALSE;
    wcsncpy(own_name, separator + 1, MAX_PATH - 1);
    *separator = 0;
    return TRUE;
}

static int run_python(int count, wchar_t **given, BOOL is_control)
{
    wchar_t *library = below_home(L"app\\python\\python311.dll");
    HMODULE python = LoadLibraryExW(
        library, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    python_main run = python == NULL ? NULL : (python_main)(void *)GetProcAddress(python, "Py_Main");
    if (run == NULL) {
        show_failure(L"Standfast cannot be started: %ls cannot be loaded. Run its installer again; your data stay.",
             L"磐备无法启动：无法加载 %ls。请重新运行安装程序；数据会保留。", library);
        return 1;
    }
    wchar_t **arguments = calloc((size_t)count + 8, sizeof(wchar_t *));
    if (arguments == NULL)
        abort();
    int number = 0;
    arguments[number++] = given[0];
    arguments[number++] = L"-I"; /* no variable of the environment changes what is loaded */
    arguments[number++] = L"-X";
    arguments[number++] = L"standfast_launcher";
    arguments[number++] = below_home(L"app\\program\\main.py");
    if (is_control)
        arguments[number++] = L"ctl";
    for (int index = 1; index < count; index++)
        arguments[number++] = given[index];
    return run(number, arguments);
}

#ifdef CONSOLE

int wmain(int count, wchar_t **given)
{
    wchar_t own_name[MAX_PATH] = L"";
    if (!find_home(own_name))
        return 1;
    return run_python(count, given, _wcsnicmp(own_name, L"debugctl", 8) == 0);
}

#else

static BOOL shows_window(int count, wchar_t **given)
{
    for (int index = 1; index < count; index++)
        if (wcscmp(given[index], L"--minimized") != 0 && wcscmp(given[index], L"--no-tray") != 0)
            return FALSE;
    return TRUE;
}

int WINAPI wWinMain(HINSTANCE instance, HINSTANCE before, wchar_t *line, int show)
{
    (void)instance, (void)before, (void)line, (void)show;
    wchar_t own_name[MAX_PATH] = L"";
    int count = __argc;
    wchar_t **given = __wargv;
    if (!find_home(own_name))
        return 1;
    if (count == 2 && wcscmp(given[1], L"--service") == 0)
        return run_service();
    if (count == 3 && wcscmp(given[1], L"--install-service") == 0)
        return install_service(given[2]);
    if (count == 2 && wcscmp(given[1], L"--remove-service") == 0)
        return remove_service();
    if (shows_window(count, given) && check_parts() != 0)
        return 1;
    return run_python(count, given, FALSE);
}

#endif
