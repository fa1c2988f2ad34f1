"""恢复验证 on the screen: badges, what a proof found, its settings in a rule, and starting one by hand.

``words``    what a proof says, as pills, tooltips and columns
``settings`` the tab of the rule editor
``starting`` the dialog that proves one restore point
``result``   the dialog that shows what a proof found, with the picture of the console
``list``     the restore points that were tried, on the page of restores
"""
