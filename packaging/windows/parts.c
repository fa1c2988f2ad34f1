/* Whether the program's folder is whole: parts.txt has a line for each file, its size in bytes and its path. */

#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const wchar_t *const damaged =
    L"Standfast cannot be started: %ls is missing or damaged. Run its installer again; your data stay.";
static const wchar_t *const damaged_in_chinese =
    L"磐备无法启动：%ls 缺失或已损坏。请重新运行安装程序；数据会保留。";

static char *read_whole(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER size;
    DWORD done = 0;
    char *content = NULL;
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    if (GetFileSizeEx(file, &size) && size.QuadPart > 0 && size.QuadPart < (1 << 24)) {
        content = malloc((size_t)size.QuadPart + 1);
        if (content != NULL && ReadFile(file, content, (DWORD)size.QuadPart, &done, NULL))
            content[done] = 0;
        else {
            free(content);
            content = NULL;
        }
    }
    CloseHandle(file);
    return content;
}

static int is_whole(const wchar_t *path, unsigned long long size_bytes)
{
    WIN32_FILE_ATTRIBUTE_DATA found;
    if (!GetFileAttributesExW(path, GetFileExInfoStandard, &found))
        return 0;
    return (((unsigned long long)found.nFileSizeHigh << 32) | found.nFileSizeLow) == size_bytes;
}

int check_parts(void)
{
    static wchar_t path[LONGEST_PATH], name[LONGEST_PATH];
    _snwprintf(path, LONGEST_PATH - 1, L"%ls\\app\\parts.txt", home);
    char *lines = read_whole(path);
    if (lines == NULL) {
        show_failure(damaged, damaged_in_chinese, path);
        return 1;
    }
    for (char *line = strtok(lines, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
        char *rest = NULL;
        unsigned long long size_bytes = strtoull(line, &rest, 10);
        if (rest == line || *rest != '\t' ||
            MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, rest + 1, -1, name, LONGEST_PATH) == 0) {
            show_failure(damaged, damaged_in_chinese, path);
            free(lines);
            return 1;
        }
        static wchar_t file[LONGEST_PATH];
        _snwprintf(file, LONGEST_PATH - 1, L"%ls\\app\\%ls", home, name);
        if (!is_whole(file, size_bytes)) {
            show_failure(damaged, damaged_in_chinese, file);
            free(lines);
            return 1;
        }
    }
    free(lines);
    return 0;
}
