package xproxy

// askedExtensions are extensions that programs ask for without our knowing them: toolkits
// do so for those that are not there over a network.
var askedExtensions = []string{
	"Adobe-DPS-Extension", "Apple-WM", "DRI2", "DRI3", "MIT-SHM", "NV-CONTROL", "NV-GLX", "Present", "RECORD", "SECURITY",
	"SGI-GLX", "SELinux", "TOG-CUP", "X-Resource", "XFree86-Bigfont", "XFree86-DGA", "XFree86-DRI", "XFree86-VidModeExtension",
	"XpExtension", "XVideo-MotionCompensation",
}

// knownAtoms are names of atoms that toolkits make at their start: those of ICCCM, of the
// window manager's specification (EWMH), of drag and drop, and of GTK's and Qt's own. A
// server that has had one program of each has these atoms, and so the scout may make them.
var knownAtoms = []string{
	"ATOM_PAIR", "CLIPBOARD", "CLIPBOARD_MANAGER", "COMPOUND_TEXT", "DELETE", "INCR", "MANAGER", "MULTIPLE", "SAVE_TARGETS",
	"SM_CLIENT_ID", "TARGETS", "TEXT", "TIMESTAMP", "UTF8_STRING", "WM_CHANGE_STATE", "WM_CLIENT_LEADER", "WM_COLORMAP_WINDOWS",
	"WM_DELETE_WINDOW", "WM_LOCALE_NAME", "WM_PROTOCOLS", "WM_SAVE_YOURSELF", "WM_STATE", "WM_TAKE_FOCUS", "WM_WINDOW_ROLE",
	"text/plain", "text/plain;charset=utf-8", "text/uri-list", "text/html", "image/png",

	"XdndAware", "XdndSelection", "XdndEnter", "XdndPosition", "XdndStatus", "XdndLeave", "XdndDrop", "XdndFinished", "XdndTypeList",
	"XdndActionList", "XdndActionDescription", "XdndActionCopy", "XdndActionMove", "XdndActionLink", "XdndActionAsk",
	"XdndActionPrivate", "XdndProxy",

	"_NET_ACTIVE_WINDOW", "_NET_CLIENT_LIST", "_NET_CLIENT_LIST_STACKING", "_NET_CLOSE_WINDOW", "_NET_CURRENT_DESKTOP",
	"_NET_DESKTOP_GEOMETRY", "_NET_DESKTOP_LAYOUT", "_NET_DESKTOP_NAMES", "_NET_DESKTOP_VIEWPORT", "_NET_FRAME_EXTENTS",
	"_NET_MOVERESIZE_WINDOW", "_NET_NUMBER_OF_DESKTOPS", "_NET_REQUEST_FRAME_EXTENTS", "_NET_RESTACK_WINDOW", "_NET_SHOWING_DESKTOP",
	"_NET_STARTUP_ID", "_NET_STARTUP_INFO", "_NET_STARTUP_INFO_BEGIN", "_NET_SUPPORTED", "_NET_SUPPORTING_WM_CHECK", "_NET_SYSTEM_TRAY_OPCODE", "_NET_SYSTEM_TRAY_S0",
	"_NET_SYSTEM_TRAY_ORIENTATION", "_NET_SYSTEM_TRAY_VISUAL", "_NET_VIRTUAL_ROOTS", "_NET_WORKAREA", "_NET_WM_ALLOWED_ACTIONS",
	"_NET_WM_BYPASS_COMPOSITOR", "_NET_WM_DESKTOP", "_NET_WM_FULLSCREEN_MONITORS", "_NET_WM_HANDLED_ICONS", "_NET_WM_ICON",
	"_NET_WM_ICON_GEOMETRY", "_NET_WM_ICON_NAME", "_NET_WM_MOVERESIZE", "_NET_WM_NAME", "_NET_WM_OPAQUE_REGION", "_NET_WM_PID",
	"_NET_WM_PING", "_NET_WM_STATE", "_NET_WM_STATE_ABOVE", "_NET_WM_STATE_BELOW", "_NET_WM_STATE_DEMANDS_ATTENTION",
	"_NET_WM_STATE_FOCUSED", "_NET_WM_STATE_FULLSCREEN", "_NET_WM_STATE_HIDDEN", "_NET_WM_STATE_MAXIMIZED_HORZ",
	"_NET_WM_STATE_MAXIMIZED_VERT", "_NET_WM_STATE_MODAL", "_NET_WM_STATE_SHADED", "_NET_WM_STATE_SKIP_PAGER",
	"_NET_WM_STATE_SKIP_TASKBAR", "_NET_WM_STATE_STAYS_ON_TOP", "_NET_WM_STATE_STICKY", "_NET_WM_STRUT", "_NET_WM_STRUT_PARTIAL",
	"_NET_WM_SYNC_REQUEST", "_NET_WM_SYNC_REQUEST_COUNTER", "_NET_WM_USER_TIME", "_NET_WM_USER_TIME_WINDOW", "_NET_WM_VISIBLE_NAME",
	"_NET_WM_WINDOW_OPACITY", "_NET_WM_WINDOW_TYPE", "_NET_WM_WINDOW_TYPE_COMBO", "_NET_WM_WINDOW_TYPE_DESKTOP",
	"_NET_WM_WINDOW_TYPE_DIALOG", "_NET_WM_WINDOW_TYPE_DND", "_NET_WM_WINDOW_TYPE_DOCK", "_NET_WM_WINDOW_TYPE_DROPDOWN_MENU",
	"_NET_WM_WINDOW_TYPE_MENU", "_NET_WM_WINDOW_TYPE_NORMAL", "_NET_WM_WINDOW_TYPE_NOTIFICATION", "_NET_WM_WINDOW_TYPE_POPUP_MENU",
	"_NET_WM_WINDOW_TYPE_SPLASH", "_NET_WM_WINDOW_TYPE_TOOLBAR", "_NET_WM_WINDOW_TYPE_TOOLTIP", "_NET_WM_WINDOW_TYPE_UTILITY",
	"_NET_WM_CM_S0", "_MOTIF_WM_HINTS", "_KDE_NET_WM_FRAME_STRUT", "_KDE_NET_WM_WINDOW_TYPE_OVERRIDE",

	"GDK_SELECTION", "GDK_VISUALS", "GDK_TIMESTAMP_PROP", "_GTK_FRAME_EXTENTS", "_GTK_LOAD_ICONTHEMES", "_GTK_MENUBAR_OBJECT_PATH",
	"_GTK_APPLICATION_ID", "_GTK_APPLICATION_OBJECT_PATH", "_GTK_APP_MENU_OBJECT_PATH", "_GTK_EDGE_CONSTRAINTS",
	"_GTK_HIDE_TITLEBAR_WHEN_MAXIMIZED", "_GTK_SHOW_WINDOW_MENU", "_GTK_THEME_VARIANT", "_GTK_UNIQUE_BUS_NAME",
	"_GTK_WINDOW_OBJECT_PATH", "_GTK_WORKAREAS", "_XSETTINGS_S0", "_XSETTINGS_SETTINGS", "XIM_SERVERS", "_XEMBED", "_XEMBED_INFO",
	"_QT_CLOSE_CONNECTION", "_QT_SCROLL_DONE", "_QT_INPUT_ENCODING", "_QT_SELECTION", "_QT_GET_TIMESTAMP", "CLIP_TEMPORARY",
	"_COMPIZ_DECOR_PENDING", "_COMPIZ_DECOR_DELETE_PIXMAP", "_COMPIZ_DECOR_REQUEST", "RESOURCE_MANAGER", "WM_HINTS", "WM_NAME",
	"WM_CLASS", "WM_CLIENT_MACHINE", "WM_NORMAL_HINTS", "WM_ICON_NAME", "WM_TRANSIENT_FOR", "XSETTINGS_S0",
	"AT_SPI_BUS", "Device Product ID", "XFree86_DDC_EDID1_RAWDATA", "_WIN_SUPPORTING_WM_CHECK", "Custom Data", "Custom Init", "EDID", "FONT", "Hyper", "Meta", "Super", "libinput Tapping Enabled",
	"_ICC_PROFILE", "SCREEN_RESOURCES", "ENLIGHTENMENT_DESKTOP", "_XSETROOT_ID", "_SGI_DESKS_MANAGER", "_QT_SELECTION_SENTINEL",
	"_QT_CLIPBOARD_SENTINEL", "_NET_WM_FULL_PLACEMENT", "_NET_WM_CONTEXT_HELP", "_DT_SAVE_MODE", "_COMPIZ_TOOLKIT_ACTION",
	"XDCCC_LINEAR_RGB_MATRICES", "XDCCC_LINEAR_RGB_CORRECTION", "Wacom Serial IDs", "Rel Vert Scroll", "Rel Horiz Scroll",
	"Max Contacts", "EDID_DATA", "DTWM_IS_RUNNING", "Button Wheel Up", "Button Wheel Down", "Button Right", "Button Middle",
	"Button Left", "Button Horiz Wheel Right", "Button Horiz Wheel Left", "Abs MT Tracking ID", "Abs MT Touch Minor",
	"Abs MT Touch Major", "Abs MT Pressure", "Abs MT Orientation", "Abs Distance", "text/plain;charset=UTF-8", "image/bmp",
	"_MOTIF_DRAG_RECEIVER_INFO", "TK_APPLICATION", "PRIMARY_TIMESTAMP", "CLIPBOARD_TIMESTAMP", "InterpRegistry", "Comm",
	"_XKB_RULES_NAMES", "Rel X", "Rel Y", "Rel Horiz Wheel", "Rel Vert Wheel", "Abs X", "Abs Y", "Abs Pressure", "Abs Tilt X", "Abs Tilt Y", "Abs Wheel", "Abs MT Position X", "Abs MT Position Y",
}

// maxBodies is how many bodies a saying has at most.
const maxBodies = 4

// knownSayings are what Xlib and its like, xcb's users and toolkits say to extensions at a program's
// start.
var knownSayings = []saying{
	{extension: bigRequests, bodies: []string{""}},
	{extension: "Composite", bodies: []string{"\x00\x00\x00\x00\x04\x00\x00\x00"}},
	{extension: "DAMAGE", bodies: []string{"\x01\x00\x00\x00\x01\x00\x00\x00"}},
	{extension: "Generic Event Extension", bodies: []string{"\x01\x00\x00\x00"}},
	{extension: "MIT-SCREEN-SAVER", bodies: []string{"\x01\x01\x00\x00", "\x01\x00\x00\x00"}},
	{extension: "RANDR", bodies: []string{"\x01\x00\x00\x00\x06\x00\x00\x00", "\x01\x00\x00\x00\x05\x00\x00\x00",
		"\x01\x00\x00\x00\x03\x00\x00\x00", "\x01\x00\x00\x00\x02\x00\x00\x00"}},
	{extension: "RENDER", bodies: []string{"\x00\x00\x00\x00\x0b\x00\x00\x00", "\x00\x00\x00\x00\x08\x00\x00\x00"}},
	{extension: "SHAPE", bodies: []string{""}},
	{extension: "SYNC", bodies: []string{"\x03\x01\x00\x00", "\x03\x00\x00\x00"}},
	{extension: "XC-MISC", bodies: []string{"\x01\x00\x01\x00"}},
	{extension: "XFIXES", bodies: []string{"\x06\x00\x00\x00\x00\x00\x00\x00", "\x05\x00\x00\x00\x00\x00\x00\x00",
		"\x06\x00\x00\x00\x01\x00\x00\x00", "\x04\x00\x00\x00\x00\x00\x00\x00"}},
	{extension: "XINERAMA", bodies: []string{"", "\x01\x01\x00\x00"}},
	{extension: "XInputExtension", minor: 1, bodies: []string{"\x0f\x00\x00\x00XInputExtension\x00"}},
	{extension: "XInputExtension", minor: 47, bodies: []string{"\x02\x00\x04\x00", "\x02\x00\x02\x00", "\x02\x00\x00\x00", "\x02\x00\x03\x00"}},
	{extension: "XTEST", bodies: []string{"\x02\x00\x02\x00"}},
	{extension: xkeyboard, bodies: []string{"\x01\x00\x00\x00", "\x01\x00\x00\x00", "\x01\x00\x00\x00", "\x01\x00\x00\x00"}}, // it refuses others

	{extension: "GLX", minor: 7, bodies: []string{"\x01\x00\x00\x00\x04\x00\x00\x00", "\x01\x00\x00\x00\x03\x00\x00\x00"}},
	{extension: "GLX", minor: 14, bodies: []string{"\x00\x00\x00\x00"}},
	{extension: "GLX", minor: 18, bodies: []string{"\x00\x00\x00\x00"}},
	{extension: "GLX", minor: 21, bodies: []string{"\x00\x00\x00\x00"}},
	{extension: "GLX", minor: 19, bodies: []string{"\x00\x00\x00\x00\x01\x00\x00\x00", "\x00\x00\x00\x00\x02\x00\x00\x00",
		"\x00\x00\x00\x00\x03\x00\x00\x00", "\x00\x00\x00\x00\xf6\x20\x00\x00"}},

	// What GTK and Qt want to hear of.
	{extension: xkeyboard, minor: 1, bodies: []string{"\x00\x01\x07\x00\x00\x00\x07\x00\xff\x00\xff\x00",
		"\x00\x01\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x11\x00",
		"\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x05\x00", "\x03\x00\x02\x00\x00\x00\x00\x00\x07\x00\x07\x00"}},
	{extension: "RANDR", minor: 4, rooted: true, bodies: []string{"\x0b\x00\x00\x00"}},
	{extension: "RANDR", minor: 4, rooted: true, bodies: []string{"\x0f\x00\x00\x00"}},
	{extension: "XInputExtension", minor: 46, rooted: true, bodies: []string{
		"\x01\x00\x00\x00\x00\x00\x01\x00\x02\x18\x00\x00", "\x01\x00\x00\x00\x00\x00\x01\x00\x02\x18\x00\x00"}},
}
