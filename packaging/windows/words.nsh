; What the installer says, in English and Chinese.

!macro WORDS name english chinese
  LangString ${name} ${LANG_ENGLISH} "${english}"
  LangString ${name} ${LANG_SIMPCHINESE} "${chinese}"
!macroend

!insertmacro WORDS Title "Standfast" "磐备"
!insertmacro WORDS RunningText \
  "Standfast is running.$\n$\nYes: wait until its tasks are done, then end it.$\nNo: stop its tasks, clean up after them, and end it.$\nCancel: change nothing." \
  "磐备正在运行。$\n$\n是：等待任务完成后退出程序。$\n否：停止任务并清理，然后退出程序。$\n取消：不做任何更改。"
!insertmacro WORDS NewerText \
  "A newer version of Standfast is installed. An older one would not understand all of its data: uninstall the newer one first, and keep in mind that its lists of rules and restore points stay unreadable for this one." \
  "已安装更新版本的磐备。旧版本无法识别新版本的全部数据：请先卸载新版本，并注意旧版本仍无法读取其规则和恢复点列表。"
!insertmacro WORDS FailedText \
  "Standfast could not be installed. What was there before works as before. See that there is space and that no other program uses the folder, then try again." \
  "无法安装磐备，原有程序保持不变。请确认磁盘空间充足且没有其他程序占用安装文件夹，然后重试。"
!insertmacro WORDS ProgramSection "Standfast" "磐备"
!insertmacro WORDS ProgramHelp "The console and debugctl." "控制台和 debugctl。"
!insertmacro WORDS DesktopSection "Icon on the desktop" "桌面图标"
!insertmacro WORDS DesktopHelp "Start Standfast from the desktop." "从桌面启动磐备。"
!insertmacro WORDS AutostartSection "Start with the system" "随系统启动"
!insertmacro WORDS AutostartHelp \
  "Start Standfast in the tray when you log in, so that schedules run." "登录时在托盘中启动磐备，使计划任务按时运行。"
!insertmacro WORDS FirewallSection "Firewall rules for instant recovery" "瞬时恢复的防火墙规则"
!insertmacro WORDS FirewallHelp \
  "Let ESXi hosts reach TCP 111 and 2049 and UDP 111 of this machine, which VMs run from that are recovered instantly." \
  "允许 ESXi 主机访问本机的 TCP 111、2049 和 UDP 111 端口，瞬时恢复的虚机通过这些端口运行。"
!insertmacro WORDS FirewallFailed \
  "Windows did not take the firewall rules. Open TCP 111 and 2049 and UDP 111 for the ESXi hosts yourself." \
  "Windows 未接受防火墙规则。请自行为 ESXi 主机开放 TCP 111、2049 和 UDP 111 端口。"
!insertmacro WORDS ServiceSection "Engine as a service" "以服务方式运行引擎"
!insertmacro WORDS ServiceHelp \
  "Back up while nobody is logged in. The window attaches to the service when the same account opens it." \
  "无人登录时也执行备份。使用同一帐户打开窗口时会连接到该服务。"
!insertmacro WORDS ServiceFailed \
  "The service could not be set up (Windows error $0). Check the account and its password; the program itself is installed." \
  "无法设置服务（Windows 错误 $0）。请检查帐户和密码；程序本身已安装。"
!insertmacro WORDS AccountTitle "Account of the service" "服务帐户"
!insertmacro WORDS AccountText "Who the engine runs as while nobody is logged in" "无人登录时引擎使用的帐户"
!insertmacro WORDS AccountHelp \
  "Take the account that opens the window: the service uses its rules and its passwords, and has to reach the standby. A service does not see mapped drives; give shares as \\server\share." \
  "请使用打开窗口的帐户：服务使用该帐户的规则和密码，并且必须能访问备机。服务看不到映射的网络驱动器，请以 \\server\share 形式填写共享路径。"
!insertmacro WORDS AccountLabel "Account" "帐户"
!insertmacro WORDS PasswordLabel "Password" "密码"
!insertmacro WORDS AccountMissing "Type the account of the service." "请输入服务帐户。"
!insertmacro WORDS DataText \
  "Remove the settings, rules, lists of restore points and logs of this user, too? Backups on standby machines stay in any case, but without these lists they have to be taken over again." \
  "是否同时删除此用户的设置、规则、恢复点列表和日志？备机上的备份始终保留，但删除列表后需要重新接管。"
