; The installer of Windows: tools/package/windows.py calls makensis with SOURCE, VERSION, OUT and ICON.
;
; Switches of a silent run (/S), also of the uninstaller where they make sense; they are described in
; docs/operator/install.md:
;   /AllUsers /CurrentUser   for whom; for all users without one
;   /D=FOLDER                where; must be the last
;   /DESKTOP /AUTOSTART      an icon on the desktop, and a start with the session
;   /SERVICE=ACCOUNT         the engine as a service of an account; its password in STANDFAST_SERVICE_PASSWORD
;   /FIREWALL                rules for instant recovery
;   /END=wait|stop           a program that runs: end it when its tasks are done, or stop them
;   /DATA=keep|remove        of the uninstaller: what becomes of this user's settings and lists
; Exit codes: 0 done, 1 cancelled, 1603 failed and everything is as before, 1618 the program runs and nothing was
; touched, 1638 a newer version is installed.

Target amd64-unicode
Unicode true
!ifdef QUICK
  SetCompressor zlib
!else
  SetCompressor /SOLID lzma
  SetCompressorDictSize 32
!endif
ManifestDPIAware true
ManifestSupportedOS Win10

!define PRODUCT "Standfast"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Standfast"
!define RUN_KEY "Software\Microsoft\Windows\CurrentVersion\Run"
!define FIREWALL_RULE "Standfast instant recovery"

!define MULTIUSER_EXECUTIONLEVEL Highest
!define MULTIUSER_MUI
!define MULTIUSER_INSTALLMODE_COMMANDLINE
!define MULTIUSER_USE_PROGRAMFILES64
!define MULTIUSER_INSTALLMODE_INSTDIR "${PRODUCT}"
!define MULTIUSER_INSTALLMODE_INSTDIR_REGISTRY_KEY "Software\Standfast"
!define MULTIUSER_INSTALLMODE_INSTDIR_REGISTRY_VALUENAME "Folder"
!define MULTIUSER_INSTALLMODE_DEFAULT_REGISTRY_KEY "Software\Standfast"
!define MULTIUSER_INSTALLMODE_DEFAULT_REGISTRY_VALUENAME "Folder"
!include MultiUser.nsh
!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include WordFunc.nsh
!include Sections.nsh
!include nsDialogs.nsh

Name "$(Title)"
OutFile "${OUT}"
BrandingText "Standfast ${VERSION}"
VIProductVersion "${VERSION}.0"
VIAddVersionKey /LANG=0 "ProductName" "Standfast"
VIAddVersionKey /LANG=0 "ProductVersion" "${VERSION}"
VIAddVersionKey /LANG=0 "FileVersion" "${VERSION}"
VIAddVersionKey /LANG=0 "FileDescription" "Standfast setup"
VIAddVersionKey /LANG=0 "CompanyName" "The Standfast authors"
VIAddVersionKey /LANG=0 "LegalCopyright" "Apache License 2.0"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_FUNCTION StartAsUser

!insertmacro MUI_PAGE_WELCOME
!insertmacro MULTIUSER_PAGE_INSTALLMODE
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
Page custom AskForAccount KeepAccount
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "SimpChinese"
!insertmacro MUI_RESERVEFILE_LANGDLL

!include "words.nsh"

Var RunsAsService   ; "1" while the service has to be started again
Var Account
Var Password
Var AccountField
Var PasswordField

; ---- a program that runs --------------------------------------------------------------------------------------

!macro ENDING un
; Puts 1 on the stack when the program's files are in use: python311.dll cannot be opened for writing then.
Function ${un}IsRunning
  ${IfNot} ${FileExists} "$INSTDIR\app\python\python311.dll"
    Push 0
    Return
  ${EndIf}
  ClearErrors
  FileOpen $0 "$INSTDIR\app\python\python311.dll" a
  ${If} ${Errors}
    Push 1
  ${Else}
    FileClose $0
    Push 0
  ${EndIf}
FunctionEnd

; Ends service and window in order. $R1: wait or stop.
Function ${un}EndProgram
  nsExec::Exec '"$SYSDIR\sc.exe" query Standfast'
  Pop $0
  ${If} $0 == 0
    nsExec::Exec '"$SYSDIR\net.exe" stop Standfast'
    Pop $0
    ${If} $0 == 0
      StrCpy $RunsAsService 1
    ${EndIf}
  ${EndIf}
  ${If} $R1 == wait
    nsExec::Exec '"$INSTDIR\debugctl.exe" program end --when-idle'
  ${Else}
    nsExec::Exec '"$INSTDIR\debugctl.exe" program end --stop-tasks'
  ${EndIf}
  Pop $0
  StrCpy $R2 0
  ${DoWhile} $R2 < 40
    Call ${un}IsRunning
    Pop $0
    ${If} $0 == 0
      ${ExitDo}
    ${EndIf}
    Sleep 500
    IntOp $R2 $R2 + 1
  ${Loop}
FunctionEnd

; Returns when nothing of the program runs, or quits with 1618 and nothing touched.
Function ${un}RequireEnd
  ${Do}
    Call ${un}IsRunning
    Pop $0
    ${If} $0 == 0
      Return
    ${EndIf}
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/END=" $R1
    ${If} ${Silent}
      ${If} $R1 != wait
      ${AndIf} $R1 != stop
        SetErrorLevel 1618
        Quit
      ${EndIf}
      Call ${un}EndProgram
      Call ${un}IsRunning
      Pop $0
      ${If} $0 != 0
        SetErrorLevel 1618
        Quit
      ${EndIf}
      Return
    ${EndIf}
    MessageBox MB_YESNOCANCEL|MB_ICONQUESTION "$(RunningText)" IDYES wait IDNO stop
    SetErrorLevel 1618
    Quit
    wait:
      StrCpy $R1 wait
      Goto chosen
    stop:
      StrCpy $R1 stop
    chosen:
    Call ${un}EndProgram
  ${Loop}
FunctionEnd
!macroend
!insertmacro ENDING ""
!insertmacro ENDING "un."

; ---- before anything is touched -------------------------------------------------------------------------------

!macro HAS_SWITCH name section
  ClearErrors
  ${GetOptions} $R0 "/${name}" $R1
  ${IfNot} ${Errors}
    !insertmacro SelectSection ${section}
  ${EndIf}
!macroend

Function RefuseOlder
  ReadRegStr $0 SHCTX "Software\Standfast" "Version"
  ${If} $0 == ""
    Return
  ${EndIf}
  ${VersionCompare} "$0" "${VERSION}" $1
  ${If} $1 == 1
    MessageBox MB_OK|MB_ICONSTOP "$(NewerText)" /SD IDOK
    SetErrorLevel 1638
    Quit
  ${EndIf}
FunctionEnd

Function StartAsUser          ; not with the installer's rights
  Exec '"$WINDIR\explorer.exe" "$SMPROGRAMS\$(Title).lnk"'
FunctionEnd

; ---- replacing the files as a whole ---------------------------------------------------------------------------

Function GiveUp               ; everything is as before
  RMDir /r "$INSTDIR\app.new"
  Call StartServiceAgain
  MessageBox MB_OK|MB_ICONSTOP "$(FailedText)" /SD IDOK
  SetErrorLevel 1603
  Quit
FunctionEnd

Function StartServiceAgain
  ${If} $RunsAsService == 1
    nsExec::Exec '"$SYSDIR\net.exe" start Standfast'
    Pop $0
  ${EndIf}
FunctionEnd

; Puts app.new in the place of app; app.old is what was there. On a failure all is put back.
Function Switch
  RMDir /r "$INSTDIR\app.old"
  ClearErrors
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    Rename "$INSTDIR\app" "$INSTDIR\app.old"
    ${If} ${Errors}
      Call GiveUp
    ${EndIf}
  ${EndIf}
  Rename "$INSTDIR\app.new" "$INSTDIR\app"
  ${If} ${Errors}
    Rename "$INSTDIR\app.old" "$INSTDIR\app"
    Call GiveUp
  ${EndIf}
  CopyFiles /SILENT "$INSTDIR\app\launchers\*.exe" "$INSTDIR"
  ${If} ${Errors}
    Rename "$INSTDIR\app" "$INSTDIR\app.new"
    Rename "$INSTDIR\app.old" "$INSTDIR\app"
    CopyFiles /SILENT "$INSTDIR\app\launchers\*.exe" "$INSTDIR"
    Call GiveUp
  ${EndIf}
  RMDir /r "$INSTDIR\app.old"
FunctionEnd

Section "$(ProgramSection)" SectionProgram
  SectionIn RO
  Call RequireEnd
  RMDir /r "$INSTDIR\app.new"
  ClearErrors
  SetOutPath "$INSTDIR\app.new"
  File /r "${SOURCE}/app/*.*"
  ${If} ${Errors}
    SetOutPath "$INSTDIR"
    Call GiveUp
  ${EndIf}
  SetOutPath "$INSTDIR"
  Call Switch
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortcut "$SMPROGRAMS\$(Title).lnk" "$INSTDIR\Standfast.exe" "" "$INSTDIR\Standfast.exe" 0
  WriteRegStr SHCTX "Software\Standfast" "Folder" "$INSTDIR"
  WriteRegStr SHCTX "Software\Standfast" "Version" "${VERSION}"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayName" "$(Title)"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "Publisher" "The Standfast authors"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\Standfast.exe"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe" /$MultiUser.InstallMode'
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /$MultiUser.InstallMode /S'
  WriteRegDWORD SHCTX "${UNINSTALL_KEY}" "NoModify" 1
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  WriteRegDWORD SHCTX "${UNINSTALL_KEY}" "EstimatedSize" $0
  Call StartServiceAgain
SectionEnd

Section /o "$(DesktopSection)" SectionDesktop
  CreateShortcut "$DESKTOP\$(Title).lnk" "$INSTDIR\Standfast.exe" "" "$INSTDIR\Standfast.exe" 0
SectionEnd

Section /o "$(AutostartSection)" SectionAutostart
  WriteRegStr SHCTX "${RUN_KEY}" "Standfast" '"$INSTDIR\Standfast.exe" --minimized'
SectionEnd

Section /o "$(FirewallSection)" SectionFirewall
  nsExec::Exec '"$SYSDIR\netsh.exe" advfirewall firewall delete rule name="${FIREWALL_RULE}"'
  Pop $0
  nsExec::Exec '"$SYSDIR\netsh.exe" advfirewall firewall add rule name="${FIREWALL_RULE}" dir=in action=allow protocol=TCP localport=111,2049 program="$INSTDIR\Standfast.exe"'
  Pop $0
  nsExec::Exec '"$SYSDIR\netsh.exe" advfirewall firewall add rule name="${FIREWALL_RULE}" dir=in action=allow protocol=UDP localport=111 program="$INSTDIR\Standfast.exe"'
  Pop $1
  ${If} $0 != 0
  ${OrIf} $1 != 0
    MessageBox MB_OK|MB_ICONEXCLAMATION "$(FirewallFailed)" /SD IDOK
  ${EndIf}
SectionEnd

Section /o "$(ServiceSection)" SectionService
  ${If} $Password != ""
    System::Call 'kernel32::SetEnvironmentVariable(t "STANDFAST_SERVICE_PASSWORD", t "$Password")'
  ${EndIf}
  ExecWait '"$INSTDIR\Standfast.exe" --install-service "$Account"' $0
  System::Call 'kernel32::SetEnvironmentVariable(t "STANDFAST_SERVICE_PASSWORD", p 0)'
  StrCpy $Password ""
  ${If} $0 != 0
    MessageBox MB_OK|MB_ICONEXCLAMATION "$(ServiceFailed)" /SD IDOK
    SetErrorLevel $0
  ${EndIf}
SectionEnd

!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionProgram} "$(ProgramHelp)"
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionDesktop} "$(DesktopHelp)"
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionAutostart} "$(AutostartHelp)"
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionFirewall} "$(FirewallHelp)"
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionService} "$(ServiceHelp)"
!insertmacro MUI_FUNCTION_DESCRIPTION_END

Function AskForAccount
  ${IfNot} ${SectionIsSelected} ${SectionService}
    Abort
  ${EndIf}
  !insertmacro MUI_HEADER_TEXT "$(AccountTitle)" "$(AccountText)"
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 36u "$(AccountHelp)"
  Pop $0
  ${NSD_CreateLabel} 0 44u 30% 12u "$(AccountLabel)"
  Pop $0
  ${NSD_CreateText} 32% 42u 60% 13u "$Account"
  Pop $AccountField
  ${NSD_CreateLabel} 0 64u 30% 12u "$(PasswordLabel)"
  Pop $0
  ${NSD_CreatePassword} 32% 62u 60% 13u ""
  Pop $PasswordField
  ${NSD_SetFocus} $AccountField
  nsDialogs::Show
FunctionEnd

Function KeepAccount
  ${NSD_GetText} $AccountField $Account
  ${NSD_GetText} $PasswordField $Password
  ${If} $Account == ""
    MessageBox MB_OK|MB_ICONEXCLAMATION "$(AccountMissing)"
    Abort
  ${EndIf}
FunctionEnd

Function .onInit
  SetRegView 64
  !insertmacro MULTIUSER_INIT
  ReadEnvStr $0 "USERDOMAIN"
  ReadEnvStr $1 "USERNAME"
  StrCpy $Account "$0\$1"
  ${GetParameters} $R0
  !insertmacro HAS_SWITCH "DESKTOP" ${SectionDesktop}
  !insertmacro HAS_SWITCH "AUTOSTART" ${SectionAutostart}
  !insertmacro HAS_SWITCH "FIREWALL" ${SectionFirewall}
  ClearErrors
  ${GetOptions} $R0 "/SERVICE=" $R1
  ${IfNot} ${Errors}
    StrCpy $Account $R1
    !insertmacro SelectSection ${SectionService}
  ${EndIf}
  Call RefuseOlder
FunctionEnd

; ---- removing -------------------------------------------------------------------------------------------------

Function un.onInit
  SetRegView 64
  !insertmacro MULTIUSER_UNINIT
FunctionEnd

; Removes this user's settings, lists and logs when that is asked for; backups are elsewhere and stay.
Function un.RemoveData
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/DATA=" $R1
  ${If} $R1 != remove
    MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "$(DataText)" /SD IDNO IDYES remove
    Return
    remove:
  ${EndIf}
  RMDir /r "$LOCALAPPDATA\standfast"
FunctionEnd

Section Uninstall
  Call un.RequireEnd
  nsExec::Exec '"$SYSDIR\sc.exe" query Standfast'
  Pop $0
  ${If} $0 == 0
    ExecWait '"$INSTDIR\Standfast.exe" --remove-service' $0
  ${EndIf}
  nsExec::Exec '"$SYSDIR\netsh.exe" advfirewall firewall delete rule name="${FIREWALL_RULE}"'
  Pop $0
  RMDir /r "$INSTDIR\app"
  RMDir /r "$INSTDIR\app.new"
  RMDir /r "$INSTDIR\app.old"
  Delete "$INSTDIR\Standfast.exe"
  Delete "$INSTDIR\debugctl.exe"
  Delete "$INSTDIR\standfast-console.exe"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\$(Title).lnk"
  Delete "$DESKTOP\$(Title).lnk"
  DeleteRegValue SHCTX "${RUN_KEY}" "Standfast"
  DeleteRegValue HKCU "${RUN_KEY}" "Standfast"
  DeleteRegKey SHCTX "${UNINSTALL_KEY}"
  DeleteRegKey SHCTX "Software\Standfast"
  SetShellVarContext current
  Call un.RemoveData
SectionEnd
